// The real `docker stack deploy` against the daemon in this process: what it made is exactly what our own reading of the same file wants, so that a stack can
// be deployed with either, and what is exported from it changes nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serviceSpecFromJson } from '#api/convert/service.ts';
import { networkSpecFromJson } from '#api/convert/network.ts';
import { convertProject, type ExistingObjects, exportStack, loadProject, planStack, printProject, readContents, type StackPlan } from '#compose/index.ts';
import { type DockerCli, dockerCli, skipWithoutDocker } from '../api/docker-cli.ts';
import { type InProcessApi, startInProcessApi } from '../api/in-process.ts';
import type { Recorded } from '../api/shared-data.ts';

// What Docker's CLI takes, said in many ways: no key of the newer specification here.
const files: Readonly<Record<string, string>> = {
  small: 'services: {a: {image: tiny:1}}',
  container: `
version: "3.13"
services:
  a:
    image: tiny:1
    command: sh -c 'echo "$$HOME"'
    entrypoint: [/entry, "a b"]
    environment: {Z: "1", A: "2", ONLY: , EMPTY: ""}
    labels: [cl=1, empty]
    hostname: h-{{.Task.Slot}}
    user: "1:2"
    working_dir: /w
    tty: true
    stdin_open: true
    read_only: true
    init: true
    stop_grace_period: 1m30s
    stop_signal: SIGINT
    dns: 1.1.1.1
    dns_search: [a.example, b.example]
    extra_hosts: ["h1:1.2.3.4", "h2=::1"]
    cap_add: [net_admin, CAP_SYS_TIME]
    cap_drop: [ALL, net_admin]
    sysctls: {net.core.somaxconn: 5}
    ulimits: {nofile: {soft: 1, hard: 2}, core: 0}
    healthcheck: {test: curl x, interval: 90s, timeout: 1s, retries: 3, start_period: 2s, start_interval: 1s}
    logging: {driver: json-file, options: {max-size: 1m, n: 5}}
  b: {image: "tiny:1", healthcheck: {disable: true}, init: false, isolation: default}
  c: {image: "tiny:1", healthcheck: {test: [NONE]}, logging: {driver: none}}
`,
  deploy: `
version: "3.9"
services:
  a:
    image: tiny:1
    deploy:
      replicas: 3
      labels: {l: v}
      update_config: {parallelism: 0, delay: 1s, failure_action: rollback, monitor: 2s, max_failure_ratio: 0.25, order: start-first}
      rollback_config: {parallelism: 2}
      restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 10s}
      placement: {constraints: [node.role == manager], preferences: [{spread: node.labels.zone}], max_replicas_per_node: 2}
      resources:
        limits: {cpus: "0.5", memory: 64M, pids: 50}
        reservations: {cpus: "0.01", memory: 10M, generic_resources: [{discrete_resource_spec: {kind: gpu, value: 1}}]}
      endpoint_mode: dnsrr
  global: {image: "tiny:1", deploy: {mode: global, restart_policy: {}, update_config: {}}}
  job: {image: "tiny:1", deploy: {mode: replicated-job, replicas: 2}}
  gjob: {image: "tiny:1", deploy: {mode: global-job, resources: {limits: {}, reservations: {}}}}
  none: {image: "tiny:1", deploy: {replicas: 0, restart_policy: {condition: none}}}
  old: {image: "tiny:1", restart: "on-failure:5"}
  older: {image: "tiny:1", restart: unless-stopped}
`,
  networks: `
version: "3.13"
services:
  a: {image: "tiny:1", ports: ["8080:80", "90", "9000-9001:9000-9001/udp", {target: 5, published: 5005, mode: host}], networks: {front: {aliases: [www, web], driver_opts: {o: "1"}}, back: }}
  b: {image: "tiny:1", networks: [back, outside, named]}
  c: {image: "tiny:1"}
  d: {image: "tiny:1", networks: [hostnet]}
networks:
  front: {driver: overlay, driver_opts: {x: 1}, internal: true, attachable: true, labels: {n: "1"}, ipam: {config: [{subnet: 10.77.0.0/24}]}}
  back:
  named: {name: literal}
  outside: {external: true, name: outside}
  hostnet: {external: true, name: host}
`,
  files: `
version: "3.8"
services:
  a:
    image: tiny:1
    volumes:
      - data:/data
      - ro:/ro:ro,nocopy
      - /h:/h:rshared
      - ./rel:/rel
      - /anonymous
      - {type: tmpfs, target: /t, tmpfs: {size: 1000}}
      - {type: volume, source: ext, target: /e}
      - {type: bind, source: /c, target: /c, consistency: cached}
    secrets: [extsec, {source: extsec, target: other, uid: "1", gid: "2", mode: 0400}]
    configs: [conf, {source: conf, target: /etc/x, mode: 0440}, literal]
volumes:
  data: {labels: {v: "1"}}
  ro: {driver: d, driver_opts: {o: 1}, name: "my-{{.Node.Hostname}}"}
  ext: {external: true, name: extvol}
secrets: {extsec: {external: true}}
configs: {conf: {file: ./conf.txt, labels: {c: "1"}}, literal: {file: ./conf.txt, name: literal-conf, template_driver: golang}}
`,
};

const SALT = '00112233445566778899aabbccddeeff';

describe('docker stack deploy', { skip: skipWithoutDocker }, () => {
  let api: InProcessApi;
  let docker: DockerCli;
  const folder = mkdtempSync(join(tmpdir(), 'skep-compose-'));
  const reader = { read: (path: string) => readFileSync(path) };

  before(async () => {
    api = await startInProcessApi();
    await api.init();
    docker = dockerCli(api.socketPath);
    await docker.ok('network', 'create', '-d', 'overlay', 'outside');
    await docker.ok('secret', 'create', 'extsec', '/etc/hostname');
    writeFileSync(join(folder, 'conf.txt'), 'content\n');
  });
  after(async () => {
    docker?.close();
    await api?.close();
    rmSync(folder, { recursive: true });
  });

  /** What the swarm has, as the API shows it. */
  async function existing(): Promise<ExistingObjects> {
    const list = async (path: string) => (await api.http('GET', path)).body as never[];
    const networks = (await list('/networks')) as Recorded[];
    const services = (await list('/services')).map(({ ID, Spec }) => ({ id: ID, spec: serviceSpecFromJson(Spec, undefined) }));
    // Networks of the nodes themselves are in no list, but can be asked for.
    const listed = new Set(networks.map(({ Id }) => Id as string));
    const others = new Set(
      services
        .flatMap(({ spec }) => spec.task.networks ?? [])
        .map(({ target }) => target)
        .filter((id) => !listed.has(id)),
    );
    for (const id of others) networks.push((await api.http('GET', `/networks/${id}`)).body as Recorded);
    return {
      services,
      networks: networks
        .filter(({ Scope }) => Scope === 'swarm')
        .map((network) => ({ id: String(network['Id']), spec: networkSpecFromJson(withoutAllocation(network)) })),
      secrets: (await list('/secrets')).map(({ ID, Spec }) => ({ id: ID, spec: { name: Spec['Name'], labels: Spec['Labels'] } })),
      configs: (await list('/configs')).map(({ ID, Spec }) => {
        const {
          Name: name,
          Labels: labels,
          Data: data,
          Templating: templating,
        } = Spec as { Name: string; Labels: Record<string, string>; Data: string; Templating?: { Name: string } };
        return { id: ID, spec: { name, labels, data, ...(templating ? { templating: { name: templating.Name } } : {}) } };
      }),
    };
  }

  const planOf = (name: string, path: string, objects: ExistingObjects): StackPlan => {
    const loaded = loadProject({
      files: [path],
      workingDirectory: folder,
      environment: {},
      reader: { read: (file) => (file.endsWith('.env') ? undefined : reader.read(file)) },
    });
    const stack = readContents(convertProject(loaded, name), { reader, variable: loaded.variable });
    return planStack(stack, objects, { salt: SALT });
  };

  for (const [name, text] of Object.entries(files)) {
    test(`what it made of "${name}" is what we would have made`, async () => {
      const path = join(folder, `${name}.yml`);
      writeFileSync(path, text);
      await docker.ok('stack', 'deploy', '--resolve-image', 'never', '-c', path, name);
      const objects = await existing();
      assert.deepEqual(notable(planOf(name, path, objects)), { problems: [], steps: [] });
    });

    test(`what is exported of "${name}" changes nothing when it is deployed`, async () => {
      const objects = await existing();
      const path = join(folder, `${name}-exported.yml`);
      writeFileSync(path, printProject(exportStack(name, objects)));
      assert.doesNotMatch(readFileSync(path, 'utf8'), /x-skep-spec/);
      assert.deepEqual(notable(planOf(name, path, objects)), { problems: [], steps: [] });
    });
  }
});

/** The engine's form shows subnets that nobody asked for, once they are allocated. */
function withoutAllocation(network: Recorded): object {
  const isAsked = JSON.stringify(network['IPAM']).includes('10.77.');
  return { ...network, IPAM: isAsked ? { Driver: 'default', Config: [{ Subnet: '10.77.0.0/24' }] } : undefined };
}

function notable(plan: StackPlan) {
  const steps = [...plan.networks, ...plan.secrets, ...plan.configs, ...plan.services].filter(
    (step) => step.action !== 'unchanged' || ('differs' in step && step.differs.length > 0),
  );
  return {
    problems: plan.problems,
    steps: steps.map((step) =>
      'changes' in step ? [step.action, step.name, step.changes] : 'differs' in step ? [step.name, step.differs] : [step.action, step.name],
    ),
  };
}
