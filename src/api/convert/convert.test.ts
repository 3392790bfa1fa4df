import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { networkCreateShape } from '#docker-api/network.ts';
import { nodeSpecShape } from '#docker-api/node.ts';
import { configSpecShape, secretSpecShape } from '#docker-api/secret-config.ts';
import { serviceSpecShape } from '#docker-api/service-spec.ts';
import { decodeBody, type Infer, type StructShape } from '#docker-api/shape.ts';
import { swarmSpecShape } from '#docker-api/swarm.ts';
import type { Cluster, Config, Network, Node, Secret, Service, Task } from '#domain/objects.ts';
import { anyClusterSpec, anyLabels, anyNodeSpec, anyServiceSpec } from './arbitraries.ts';
import { timeToJson } from './common.ts';
import { configSpecFromJson, configToText } from './config.ts';
import { networkSpecFromJson, networkToResource, networkToSwarmJson } from './network.ts';
import { nodeSpecFromJson, nodeToText } from './node.ts';
import { secretSpecFromJson, secretToText } from './secret.ts';
import { serviceSpecFromJson, serviceSpecToJson, serviceToJson, serviceToText } from './service.ts';
import { clusterInfoToJson, swarmSpecFromJson } from './swarm.ts';
import { taskToText } from './task.ts';
import { adjustServiceSpec } from './version.ts';

const meta = { id: 'q', version: 7, createdAt: 1_795_175_483_210, updatedAt: 1_795_175_484_000 };

/** What a client sees of `value`, sent back as a client would. */
function resend<S extends StructShape>(shape: S, value: unknown): Infer<S> {
  return decodeBody(shape, JSON.parse(JSON.stringify(value)));
}

const service = (spec: Service['spec']): Service => ({ ...meta, kind: 'service', spec, specVersion: 7 });

test('a service spec that is shown and sent back means the same', () => {
  fc.assert(
    fc.property(anyServiceSpec, (spec) => {
      assert.deepEqual(serviceSpecFromJson(resend(serviceSpecShape, serviceSpecToJson(spec)), undefined), spec);
    }),
  );
});

test('what is sent for a service is shown again in the same words', () => {
  fc.assert(
    fc.property(anyServiceSpec, (spec) => {
      const shown = serviceSpecToJson(spec);
      assert.equal(JSON.stringify(serviceSpecToJson(serviceSpecFromJson(resend(serviceSpecShape, shown), undefined))), JSON.stringify(shown));
    }),
  );
});

test('node and swarm specs survive the way out and back', () => {
  fc.assert(
    fc.property(anyNodeSpec, anyClusterSpec, (nodeSpec, clusterSpec) => {
      const node: Node = { ...meta, kind: 'node', spec: nodeSpec, status: { state: 'ready', address: '10.0.0.1' }, index: 1, role: 'worker' };
      assert.deepEqual(nodeSpecFromJson(resend(nodeSpecShape, JSON.parse(nodeToText(node)).Spec)), nodeSpec);
      assert.deepEqual(swarmSpecFromJson(resend(swarmSpecShape, clusterInfoToJson(clusterOf(clusterSpec)).Spec)), clusterSpec);
    }),
  );
});

test('configs show their data, secrets never do', () => {
  fc.assert(
    fc.property(anyLabels, fc.base64String({ minLength: 4 }), (labels, data) => {
      const config: Config = { ...meta, kind: 'config', spec: { name: 'c', labels, data, templating: { name: 'golang' } } };
      assert.deepEqual(configSpecFromJson(resend(configSpecShape, JSON.parse(configToText(config)).Spec)), config.spec);
      const secret: Secret = { ...meta, kind: 'secret', spec: { name: 's', labels, data } };
      assert.equal(secretToText(secret).includes('Data'), false);
      assert.deepEqual(secretSpecFromJson(resend(secretSpecShape, { Name: 's', Labels: labels, Data: data })), secret.spec);
    }),
  );
});

test('registry credentials go into a spec and are never shown', () => {
  const spec = serviceSpecFromJson({ Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'a' } } }, 'c2VjcmV0');
  assert.equal(spec.task.runtime.kind === 'container' && spec.task.runtime.container.registryAuth, 'c2VjcmV0');
  assert.equal(serviceToText(service(spec)).includes('c2VjcmV0'), false);
});

test('maps are written in order of their keys', () => {
  const spec = serviceSpecFromJson({ Name: 'web', Labels: { b: '1', a: '2', B: '3' }, TaskTemplate: { ContainerSpec: { Image: 'a' } } }, undefined);
  assert.deepEqual(Object.keys(serviceSpecToJson(spec).Labels ?? {}), ['B', 'a', 'b']);
});

test('times are shown as Go shows them, without trailing zeros', () => {
  assert.equal(timeToJson(undefined), '0001-01-01T00:00:00Z');
  assert.equal(timeToJson(Date.UTC(2026, 10, 20, 11, 51, 0)), '2026-11-20T11:51:00Z');
  assert.equal(timeToJson(Date.UTC(2026, 10, 20, 11, 51, 20, 120)), '2026-11-20T11:51:20.12Z');
});

test('the defaults that Docker adds to a spec of one image are these', () => {
  const minimal = serviceSpecFromJson({ Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'tiny:1' } } }, undefined);
  assert.deepEqual(JSON.parse(JSON.stringify(serviceSpecToJson(minimal))), {
    Name: 'web',
    Labels: {},
    TaskTemplate: { ContainerSpec: { Image: 'tiny:1', Isolation: 'default' }, ForceUpdate: 0, Runtime: 'container' },
    Mode: { Replicated: { Replicas: 1 } },
  });
});

test('a service without networks and ports has an empty endpoint', () => {
  const task = { runtime: { kind: 'container', container: { image: 'a' } }, forceUpdate: 0 } as const;
  const endpoint = { spec: { mode: 'vip' }, ports: [], virtualIps: [] } as const;
  const spec = { name: 'web', labels: {}, mode: { kind: 'replicated', replicas: 1 }, task } as const;
  assert.deepEqual(JSON.parse(serviceToText({ ...service(spec), endpoint })).Endpoint, { Spec: {} });
  const attached = { ...spec, task: { ...task, networks: [{ target: 'n1', aliases: [] }] } };
  assert.deepEqual(JSON.parse(serviceToText({ ...service(attached), endpoint })).Endpoint, { Spec: { Mode: 'vip' } });
});

test('a service with a status is the service with the status in its place', () => {
  const job: Service = {
    ...service({ name: 'j', labels: {}, mode: { kind: 'global-job' }, task: { runtime: { kind: 'container', container: { image: 'a' } }, forceUpdate: 0 } }),
    job: { iteration: 0, lastExecutionAt: 0 },
  };
  const text = serviceToText(job, { runningTasks: 1, desiredTasks: 2, completedTasks: 3 });
  assert.deepEqual(Object.keys(JSON.parse(text)).slice(-3), ['Endpoint', 'ServiceStatus', 'JobStatus']);
  assert.deepEqual(JSON.parse(serviceToText(job)), JSON.parse(JSON.stringify(serviceToJson(job))));
  assert.deepEqual(JSON.parse(text).JobStatus, { JobIteration: {}, LastExecution: '1970-01-01T00:00:00Z' });
});

test('mistakes in a spec are named in Docker’s words', () => {
  const container = { Image: 'a' };
  const cases: readonly [Parameters<typeof serviceSpecFromJson>[0], string, number][] = [
    [{}, 'mismatched Runtime and *Spec fields', 400],
    [{ TaskTemplate: { Runtime: 'zzz', ContainerSpec: container } }, 'unsupported runtime', 400],
    [{ TaskTemplate: { Runtime: 'plugin', PluginSpec: {} } }, 'runtime type "plugin" only supported in experimental', 500],
    [{ TaskTemplate: { ContainerSpec: container }, Mode: { Global: {}, Replicated: {} } }, 'must specify only one service mode', 400],
    [{ TaskTemplate: { ContainerSpec: container, RestartPolicy: { Condition: 'bogus' } } }, 'invalid RestartCondition: "bogus"', 400],
    [{ TaskTemplate: { ContainerSpec: container }, UpdateConfig: { FailureAction: 'x' } }, 'unrecognized update failure action x', 400],
    [{ TaskTemplate: { ContainerSpec: container }, RollbackConfig: { Order: 'x' } }, 'unrecognized update order x', 400],
    [{ TaskTemplate: { ContainerSpec: container }, EndpointSpec: { Mode: 'x' } }, 'invalid resolution mode: "x"', 400],
    [{ TaskTemplate: { ContainerSpec: { ...container, Mounts: [{ Type: 'bogus' }] } } }, 'invalid MountType: "bogus"', 400],
    [
      { TaskTemplate: { ContainerSpec: { ...container, Mounts: [{ Type: 'bind', BindOptions: { Propagation: 'x' } }] } } },
      'invalid MountPropagation: "x"',
      400,
    ],
    [
      { TaskTemplate: { ContainerSpec: { ...container, Secrets: [{ SecretID: 'x' }] } } },
      'rpc error: code = InvalidArgument desc = malformed secret reference',
      400,
    ],
    [{ TaskTemplate: { ContainerSpec: { ...container, Configs: [{}] } } }, 'invalid Config: either File or Runtime should be set', 400],
    [
      { TaskTemplate: { ContainerSpec: { ...container, Privileges: { CredentialSpec: { File: 'a', Registry: 'b' } } } } },
      'invalid CredentialSpec: cannot specify both "file" and "registry" credential specs',
      400,
    ],
  ];
  for (const [wire, message, httpStatus] of cases) assert.throws(() => serviceSpecFromJson(wire, undefined), { message, httpStatus });
  assert.throws(() => nodeSpecFromJson({ Role: 'worker', Availability: 'bogus' }), { message: 'invalid Availability: "bogus"' });
  assert.throws(() => swarmSpecFromJson({ Name: 'foo' }), { message: 'swarm spec must be named "default"' });
});

test('an old client cannot set what its API version does not know', () => {
  const wire = {
    TaskTemplate: {
      ContainerSpec: {
        Sysctls: { a: 'b' },
        CapabilityAdd: ['CAP_NET_ADMIN'],
        OomScoreAdj: 5,
        Privileges: { NoNewPrivileges: true },
        Healthcheck: { StartInterval: 5, Retries: 1 },
      },
      Placement: { MaxReplicas: 2 },
      Resources: { Limits: { Pids: 5 } },
    },
    Mode: { GlobalJob: {} },
  };
  const at = (version: number) => JSON.parse(JSON.stringify(adjustServiceSpec(wire, version)));
  assert.deepEqual(at(46), wire);
  assert.equal(at(45).TaskTemplate.ContainerSpec.OomScoreAdj, undefined);
  assert.deepEqual(at(43).TaskTemplate.ContainerSpec.Healthcheck, { Retries: 1 });
  assert.deepEqual(at(43).TaskTemplate.ContainerSpec.Privileges, {});
  assert.deepEqual(at(40).TaskTemplate.Resources, { Limits: {} });
  assert.deepEqual(at(40).Mode, {});
  assert.deepEqual(at(39).TaskTemplate.Placement, {});
  assert.equal(at(39).TaskTemplate.ContainerSpec.Sysctls, undefined);
});

function clusterOf(spec: Cluster['spec']): Cluster {
  return {
    ...meta,
    kind: 'cluster',
    spec,
    rootCa: { certificate: '', sealedKey: '' },
    sealedJoinTokens: { worker: '', manager: '' },
    defaultAddressPools: ['10.0.0.0/8'],
    subnetSize: 24,
    dataPathPort: 4789,
    rootRotationInProgress: false,
  };
}

test('the issuer of a root certificate is shown as the DER of its subject and key', () => {
  const certificate = `-----BEGIN CERTIFICATE-----
MIIBajCCARCgAwIBAgIUaU3RjuYowSlQYuL2ZShjCBpD/kAwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIwMTIwNzAwWhcNNDYxMTE1MTIw
NzAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABGTySgslprXXnKJWUBmA8iSBKa7JUNYT4mdt6mJ/M1KaqTjOge0zUGbiV/dJ
Lu9GU7BtkXwOY2J0mFqf1ow3CvGjQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdDgQWBBRB5xyQEuw6LCw/gb7WdClJDsIrojAKBggqhkjO
PQQDAgNIADBFAiBnQveJGrX7r4Dd8RQhjdTg1DaRfeq8qTNDKSxWpGnckwIhAI2M
DSxR0G6y7Q7XP0wZI+CbI84sxbZL6HKZVqZo5/x4
-----END CERTIFICATE-----
`;
  const { TLSInfo } = clusterInfoToJson({ ...clusterOf({ ...emptyClusterSpec }), rootCa: { certificate, sealedKey: '' } });
  assert.equal(TLSInfo.CertIssuerSubject, 'MBMxETAPBgNVBAMTCHN3YXJtLWNh');
  assert.equal(
    TLSInfo.CertIssuerPublicKey,
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZPJKCyWmtdecolZQGYDyJIEprslQ1hPiZ23qYn8zUpqpOM6B7TNQZuJX90ku70ZTsG2RfA5jYnSYWp/WjDcK8Q==',
  );
});

const emptyClusterSpec: Cluster['spec'] = {
  name: 'default',
  labels: {},
  orchestration: {},
  raft: { electionTick: 0, heartbeatTick: 0 },
  dispatcher: {},
  ca: {},
  taskDefaults: {},
  encryption: { autoLockManagers: false },
};

function networkOf(id: string): Network {
  const spec = networkSpecFromJson(decodeBody(networkCreateShape, { Name: 'net1', Driver: 'overlay', Attachable: true, IPAM: { Config: [] } }));
  return {
    ...meta,
    id,
    kind: 'network',
    spec,
    state: { driver: { name: 'overlay' }, vxlanId: 4097, pools: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }] },
  };
}

test('a network looks as the engine shows it, and as a swarm object inside tasks', () => {
  const network = networkOf('n1');
  const resource = JSON.parse(JSON.stringify(networkToResource(network, 41)));
  assert.deepEqual(resource.IPAM, { Driver: 'default', Options: null, Config: [{ Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' }] });
  assert.deepEqual([resource.Containers, resource.Labels, resource.EnableIPv4], [null, null, undefined]);
  assert.equal(networkToResource(network, 48).EnableIPv4, true);
  const swarm = JSON.parse(JSON.stringify(networkToSwarmJson(network)));
  assert.deepEqual(swarm.Spec, {
    Name: 'net1',
    Labels: {},
    DriverConfiguration: { Name: 'overlay' },
    Attachable: true,
    IPAMOptions: { Driver: { Name: 'default' } },
    Scope: 'swarm',
  });
  assert.deepEqual(swarm.DriverState, { Name: 'overlay', Options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' } });
});

const task: Task = {
  ...meta,
  kind: 'task',
  serviceId: 's1',
  slot: 1,
  nodeId: 'n1',
  spec: { runtime: { kind: 'container', container: { image: 'tiny:2' } }, forceUpdate: 0 },
  serviceName: 'web',
  serviceLabels: { hidden: 'x' },
  status: { state: 'running', timestamp: meta.updatedAt, message: 'started', container: { containerId: 'c1', pid: 5, exitCode: 0 } },
  desiredState: 'running',
  networks: [{ networkId: 'n1', addresses: ['10.0.1.20/24'], aliases: ['web'] }],
};

test('a task’s JSON follows its networks, and is made once while nothing changes', () => {
  const first = networkOf('n1');
  const text = taskToText(task, () => first);
  assert.deepEqual(JSON.parse(text).NetworksAttachments[0].Addresses, ['10.0.1.20/24']);
  assert.deepEqual(Object.keys(JSON.parse(text)).slice(-3), ['DesiredState', 'NetworksAttachments', 'Volumes']);
  assert.equal(
    taskToText(task, () => first),
    text,
  );
  const renewed = { ...first, version: 99 };
  assert.equal(JSON.parse(taskToText(task, () => renewed)).NetworksAttachments[0].Network.Version.Index, 99);
  assert.equal(JSON.parse(taskToText(task, () => undefined)).NetworksAttachments[0].Network.ID, 'n1');
});

test('eleven thousand tasks are listed, and again without being converted again', () => {
  const network = networkOf('n1');
  let reads = 0;
  // What is converted is read: a task that counts how often its spec is.
  const counted = (index: number): Task => ({
    ...task,
    id: `t${index}`,
    get spec() {
      reads++;
      return task.spec;
    },
  });
  const tasks = Array.from({ length: 11_000 }, (_, index) => counted(index));
  const list = () => `[${tasks.map((item) => taskToText(item, () => network)).join(',')}]`;
  assert.equal(JSON.parse(list()).length, 11_000);
  assert.ok(reads >= tasks.length);
  reads = 0;
  assert.ok(Buffer.byteLength(list()) > 5_000_000);
  assert.equal(reads, 0);
});
