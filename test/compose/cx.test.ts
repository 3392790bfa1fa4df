// What `docker compose config` writes and Docker's `stack deploy` stumbles over: each row deploys here, or warns by name.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { convertProject, formatWarnings, loadProject, readContents, type ResolvedStack } from '#compose/index.ts';
import { extrasOfLabels } from '#domain/extras.ts';
import type { ContainerSpec } from '#domain/spec.ts';

function convert(text: string, stack = 'app', environment: Readonly<Record<string, string>> = {}): ResolvedStack {
  const reader = { read: (path: string) => (path === '-' ? new TextEncoder().encode(text) : undefined) };
  const loaded = loadProject({ files: ['-'], workingDirectory: '/project', environment, reader });
  return readContents(convertProject(loaded, stack), { reader, variable: loaded.variable });
}

/** The service `a`, given as flow YAML. */
function service(body: string, more = '') {
  const stack = convert(`services: {a: ${body}}\n${more}`);
  const [found] = stack.services;
  assert.ok(found);
  const { runtime } = found.spec.task;
  assert.ok(runtime.kind === 'container');
  const container: ContainerSpec = runtime.container;
  return { ...found, container, stack };
}

const ignored = ({ stack }: { readonly stack: ResolvedStack }) => stack.warnings.filter(({ kind }) => kind === 'unsupported').map(({ name }) => name);

describe('what Docker’s stack deploy refuses', () => {
  it('CX-1: a name at the top', () => assert.equal(convert('name: project\nservices: {a: {image: x}}').services.length, 1));
  it('CX-2: published ports as text', () => {
    assert.deepEqual(service('{image: x, ports: [{target: "80", published: "8080"}]}').spec.endpoint?.ports, [
      { protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' },
    ]);
  });
  it('CX-3: cpus as a number', () => {
    for (const cpus of ['0.5', '"0.5"', '.5'])
      assert.equal(service(`{image: x, deploy: {resources: {limits: {cpus: ${cpus}}}}}`).spec.task.resources?.limits?.nanoCpus, 500_000_000);
  });
  it('CX-4: memory as a number', () =>
    assert.equal(service('{image: x, deploy: {resources: {limits: {memory: 67108864}}}}').spec.task.resources?.limits?.memoryBytes, 67_108_864));
  it('CX-5: depends_on as a map', () => {
    const stack = convert('services: {a: {image: x, depends_on: {b: {condition: service_healthy, restart: true}}}, b: {image: y}}');
    assert.deepEqual(stack.services[0]?.dependsOn, [{ key: 'b', condition: 'service_healthy', required: true, restart: true }]);
  });
  it('CX-6: the size of a tmpfs as text', () => {
    assert.deepEqual(service('{image: x, volumes: [{type: tmpfs, target: /t, tmpfs: {size: "512000000"}}]}').container.mounts, [
      { type: 'tmpfs', target: '/t', tmpfs: { sizeBytes: 512_000_000 } },
    ]);
  });
  it('CX-7: a mode as text', () => {
    const { container } = service(
      '{image: x, secrets: [{source: s, mode: "0440"}], configs: [{source: c, mode: 0400}]}',
      'secrets: {s: {external: true}}\nconfigs: {c: {external: true}}',
    );
    const target = container.configs?.[0]?.target;
    assert.deepEqual([container.secrets?.[0]?.file.mode, target?.kind === 'file' ? target.file.mode : undefined], [0o440, 0o400]);
  });
  it('CX-8: env_file with a path', () => assert.equal(service('{image: x, env_file: [{path: none, required: false}]}').container.env, undefined));
  it('CX-9 and CX-16: no version, and any', () => {
    for (const version of ['', 'version: "2.4"', 'version: "1"', 'version: 3', 'version: "3.99"'])
      assert.equal(convert(`${version}\nservices: {a: {image: x}}`).services.length, 1);
  });
  it('CX-10: a host path that is made', () => {
    assert.deepEqual(service('{image: x, volumes: [{type: bind, source: /s, target: /t, bind: {create_host_path: true}}]}').container.mounts?.[0]?.bind, {
      propagation: 'rprivate',
      createMountpoint: true,
    });
  });
  it('CX-11: extra hosts with = and with :', () =>
    assert.deepEqual(service('{image: x, extra_hosts: ["h=1.2.3.4", "i:::1", "j=[::2]"]}').container.hosts, ['1.2.3.4 h', '::1 i', '::2 j']));
  it('CX-12: names are literal, and those that compose made up are warned about', () => {
    const text = 'name: project\nservices: {a: {image: x, networks: [default, other]}}\nnetworks: {default: {name: project_default}, other: {name: mine}}';
    const stack = convert(text, 'app');
    assert.deepEqual(
      stack.networks.map(({ spec }) => spec.name),
      ['mine', 'project_default'],
    );
    assert.deepEqual(
      stack.warnings.map(({ name }) => name),
      ['networks.default'],
    );
    assert.deepEqual(convert(text, 'project').warnings, []);
  });

  it('CX-13: keys of the newer specification that are done', () => {
    const { container, spec } = service(
      '{image: x, group_add: [audio, 5], platform: linux/arm64/v8, scale: 2, dns_opt: [ndots:1], pids_limit: 10, cpus: 1.5, pull_policy: always}',
    );
    assert.deepEqual(
      [container.groups, spec.task.placement, spec.mode, container.dns, spec.task.resources],
      [
        ['audio', '5'],
        { platforms: [{ os: 'linux', architecture: 'arm64' }] },
        { kind: 'replicated', replicas: 2 },
        { options: ['ndots:1'] },
        { limits: { nanoCpus: 1_500_000_000, pids: 10 } },
      ],
    );
  });
  it('CX-13: keys that are done by the engine, and those that are warned about by name', () => {
    const result = service(
      '{image: x, develop: {watch: [{path: ., action: sync}]}, attach: false, gpus: all, runtime: r, uts: host, annotations: [a=b], storage_opt: {size: 1G}, post_start: [{command: a}], deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: [x]}]}}}}',
    );
    assert.deepEqual(ignored(result).sort(), ['attach', 'develop', 'post_start']);
    assert.deepEqual(extrasOfLabels(result.container.labels), {
      deviceRequests: [
        { deviceIds: ['x'], capabilities: ['gpu'] },
        { count: -1, capabilities: ['gpu'] },
      ],
      utsMode: 'host',
      runtime: 'r',
      annotations: { a: 'b' },
      storageOptions: { size: '1G' },
    });
  });
  it('CX-13: secrets from the environment and configs from the file itself', () => {
    const stack = convert('services: {a: {image: x}}\nsecrets: {s: {environment: PASSWORD}}\nconfigs: {c: {content: "${A}\\n"}}', 'app', {
      PASSWORD: 'secret',
      A: 'text',
    });
    assert.deepEqual([stack.secrets[0]?.data, stack.configs[0]?.data], [Buffer.from('secret').toString('base64'), Buffer.from('text\n').toString('base64')]);
    assert.throws(() => convert('secrets: {s: {environment: PASSWORD}}'), { message: 'secret s: environment variable "PASSWORD" is required but not set' });
  });

  it('CX-14: the older keys for resources', () => {
    const { spec } = service('{image: x, mem_limit: 10m, memswap_limit: 30m, mem_reservation: 5m, mem_swappiness: 10}');
    assert.deepEqual(spec.task.resources, {
      limits: { memoryBytes: 10 * 1024 ** 2 },
      reservations: { memoryBytes: 5 * 1024 ** 2 },
      swapBytes: 20 * 1024 ** 2,
      memorySwappiness: 10,
    });
    const { spec: newer } = service('{image: x, mem_limit: 10m, deploy: {resources: {limits: {memory: 20m}}}}');
    assert.equal(newer.task.resources?.limits?.memoryBytes, 20 * 1024 ** 2, 'deploy wins');
  });
  it('CX-14: those that are kept for the engine', () => {
    const result = service('{image: x, cpu_shares: 5, cpu_quota: 50ms, cpu_period: "100000", cpuset: "0-3", volume_driver: d, volumes_from: [b]}');
    assert.deepEqual(extrasOfLabels(result.container.labels), { cpuShares: 5, cpuPeriodUs: 100_000, cpuQuotaUs: 50_000, cpusetCpus: '0-3' });
    assert.deepEqual(ignored(result).sort(), ['volume_driver', 'volumes_from']);
  });

  it('CX-15: what an engine can do is done; addresses and what joins another container are warned about', () => {
    const result = service(
      '{image: x, privileged: true, devices: ["/dev/a:/dev/b:r", /dev/c, "/dev/d:rw"], ipc: host, pid: host, shm_size: 64m, userns_mode: host, cgroup_parent: p, cgroupns_mode: private, domainname: d, mac_address: "aa:bb", network_mode: "service:b", security_opt: ["systempaths=unconfined"], blkio_config: {weight: 300, device_read_bps: [{path: /dev/a, rate: 1mb}]}}',
    );
    assert.deepEqual(extrasOfLabels(result.container.labels), {
      privileged: true,
      devices: [
        { pathOnHost: '/dev/a', pathInContainer: '/dev/b', permissions: 'r' },
        { pathOnHost: '/dev/c', pathInContainer: '/dev/c', permissions: 'rwm' },
        { pathOnHost: '/dev/d', pathInContainer: '/dev/d', permissions: 'rw' },
      ],
      securityOptions: ['systempaths=unconfined'],
      shmSizeBytes: 64 * 1024 ** 2,
      ipcMode: 'host',
      pidMode: 'host',
      usernsMode: 'host',
      cgroupnsMode: 'private',
      cgroupParent: 'p',
      domainname: 'd',
      blkio: { weight: 300, readBps: [{ path: '/dev/a', rate: 1024 ** 2 }] },
    });
    assert.deepEqual(ignored(result).sort(), ['mac_address', 'network_mode']);
  });
  it('CX-15: what a spec has words for is done', () => {
    const { container, spec, stack } = service(
      '{image: x, security_opt: [no-new-privileges, "apparmor=unconfined", "seccomp:unconfined", "label:type:t"], restart: "on-failure:3", network_mode: host, tmpfs: ["/run:size=1m,mode=700,noexec", /tmp]}',
    );
    assert.deepEqual(container.privileges, {
      noNewPrivileges: true,
      apparmor: { mode: 'disabled' },
      seccomp: { mode: 'unconfined' },
      selinux: { disable: false, user: '', role: '', type: 't', level: '' },
    });
    assert.deepEqual([spec.task.restart, spec.task.networks, stack.networks], [{ condition: 'on-failure', maxAttempts: 3 }, [{ target: 'host' }], []]);
    assert.deepEqual(container.mounts, [
      { type: 'tmpfs', target: '/run', tmpfs: { sizeBytes: 1024 ** 2, mode: 0o700, options: [['noexec']] } },
      { type: 'tmpfs', target: '/tmp' },
    ]);
    assert.deepEqual(stack.warnings, []);
  });
  it('CX-15: warnings are Docker’s text, each name once', () => {
    const stack = convert('services: {a: {image: x, build: ., links: [b], container_name: n}, b: {image: x, build: ., expose: [80]}}');
    assert.equal(
      formatWarnings(stack.warnings),
      "Ignoring unsupported options: build, links\n\nIgnoring deprecated options:\n\ncontainer_name: Setting the container name is not supported.\n\nexpose: Exposing ports is unnecessary - services on the same network can access each other's containers on any port.\n\n",
    );
  });
});
