import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { anyServiceSpec } from '#api/convert/arbitraries.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { equalSpecs } from '#lib/equal.ts';
import { NAMESPACE_LABEL } from '../convert/common.ts';
import { convertProject } from '../convert/convert.ts';
import { namedSpec } from '../plan/named.ts';
import { printProject } from '../print.ts';
import { convertText, loadText } from '../testing/files.ts';
import { exportSpecs, exportStack } from './export.ts';
import { applyPatch, makePatch } from './remainder.ts';

const nothing = { services: [], networks: [], secrets: [], configs: [] };
const noNames = { networks: new Map(), configs: new Map() };

/** Exported, printed, loaded and converted again. */
function roundTrip(specs: readonly ServiceSpec[]): readonly ServiceSpec[] {
  const text = printProject(exportSpecs('app', specs, nothing));
  return convertProject(loadText(text, { profiles: ['*'] }), 'app').services.map(({ spec }) => spec);
}

describe('an exported service', () => {
  it('is the same service when it is converted again, whatever its spec', () => {
    fc.assert(
      fc.property(anyServiceSpec, (given) => {
        // What the daemon takes as a name.
        const name = `${given.name.replaceAll(/[^\w-]/g, '')}0`.replace(/^[^a-zA-Z0-9]+/, '');
        const spec = namedSpec({ ...given, name, labels: { ...given.labels, [NAMESPACE_LABEL]: 'app' } }, noNames);
        const [back] = roundTrip([spec]);
        assert.ok(equalSpecs(back, spec), `${JSON.stringify(back)}\n${JSON.stringify(spec)}`);
      }),
      { numRuns: 60 },
    );
  });

  it('needs no remainder when it came from a Compose file', () => {
    const stack = convertText({
      'compose.yml': `
services:
  web:
    image: web:1
    command: [a, "$$b"]
    environment: [A=1, B]
    ports: ["80:80", "90/udp"]
    networks: {front: {aliases: [www]}, default: }
    volumes: [data:/data:ro, /h:/h:rshared, {type: tmpfs, target: /t, tmpfs: {size: 10, mode: 01777}}]
    secrets: [{source: key, target: k, mode: 0400}]
    security_opt: [no-new-privileges, "seccomp:unconfined", "label:user:u", "systempaths=unconfined"]
    group_add: [audio]
    platform: linux/arm64
    mem_limit: 10m
    memswap_limit: 20m
    mem_swappiness: 5
    extra_hosts: [h=::1]
    dns_opt: [ndots:1]
    privileged: true
    devices: [/dev/a:/dev/b:r, vendor.com/gpu=all]
    gpus: all
    shm_size: 64m
    ipc: shareable
    pid: host
    uts: host
    cgroup: host
    runtime: runc
    cpuset: 0-1
    cpu_shares: 5
    cpu_period: 50ms
    annotations: [a=b]
    storage_opt: {size: 1G}
    blkio_config: {weight: 300, device_read_bps: [{path: /dev/a, rate: 1mb}]}
    healthcheck: {test: x, interval: 90s}
    deploy: {mode: replicated-job, replicas: 2, update_config: {delay: 1s}, restart_policy: {condition: on-failure}, endpoint_mode: dnsrr}
networks: {front: {name: literal}}
volumes: {data: {driver: d, labels: [v=1]}}
secrets: {key: {external: true, name: theirs}}
`,
    });
    const specs = stack.services.map(({ spec }) => spec);
    const exported = exportSpecs('app', specs, { ...nothing, networks: stack.networks.map(({ spec }) => ({ id: spec.name, spec })) });
    const text = printProject(exported);
    assert.doesNotMatch(text, /x-skep-spec/);
    assert.deepEqual(
      convertProject(loadText(text), 'app').services.map(({ spec }) => spec),
      specs,
    );
  });

  it('keeps its place in the stack: short keys, names that are literal, objects that others made', () => {
    const stack = convertText(
      'services: {a: {image: x, networks: [n, ext], volumes: ["vol:/v"]}}\nnetworks: {n: , ext: {external: true, name: theirs}}\nvolumes: {vol: {name: literal}}',
    );
    const networks = stack.networks.filter(({ external }) => !external).map(({ spec }) => ({ id: `id-${spec.name}`, spec }));
    const services = stack.services.map(({ spec }) => ({
      id: 's',
      spec: {
        ...spec,
        task: {
          ...spec.task,
          networks: [
            { target: 'id-app_n', aliases: ['a'] },
            { target: 'theirs', aliases: ['a'] },
          ],
        },
      },
    }));
    const { project } = exportStack('app', { ...nothing, networks, services });
    assert.deepEqual(project, {
      services: {
        a: { deploy: { replicas: 1 }, image: 'x', networks: { n: null, theirs: null }, volumes: [{ type: 'volume', source: 'literal', target: '/v' }] },
      },
      networks: { n: {}, theirs: { name: 'theirs', external: true } },
      volumes: { literal: { name: 'literal' } },
    });
  });

  it('whose image was written without a tag is exported as it was written', () => {
    const [service] = convertText('services: {a: {image: x}}').services;
    assert.ok(service?.spec.task.runtime.kind === 'container');
    const runtime = { ...service.spec.task.runtime, container: { ...service.spec.task.runtime.container, image: 'x:latest' } };
    const running = { id: 's', spec: { ...service.spec, task: { ...service.spec.task, runtime } } };
    assert.deepEqual(exportStack('app', { ...nothing, services: [running] }).project.services, { a: { image: 'x', deploy: { replicas: 1 } } });
  });

  it('of another stack is not exported', () => {
    const { services } = convertText('services: {a: {image: x}}');
    assert.deepEqual(exportStack('other', { ...nothing, services: services.map(({ spec }) => ({ id: '', spec })) }).project, { services: {} });
  });
});

describe('an exported config', () => {
  const configs = (data: string) => [
    { id: 'c', spec: { name: 'app_c', labels: { [NAMESPACE_LABEL]: 'app', l: '1' }, data: Buffer.from(data, 'latin1').toString('base64') } },
  ];
  it('has its content where that is text, dollars included', () => {
    assert.deepEqual(exportStack('app', { ...nothing, configs: configs('a $b\n') }).project.configs, { c: { content: 'a $b\n', labels: { l: '1' } } });
  });
  it('is external where its content is no text', () =>
    assert.deepEqual(exportStack('app', { ...nothing, configs: configs('\xff\x00') }).project.configs, { c: { name: 'app_c', external: true } }));
});

it('a merge patch brings any value to any other', () => {
  const value = fc.letrec((tie) => ({
    map: fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), fc.oneof(fc.integer(), fc.string(), fc.array(fc.nat(3), { maxLength: 2 }), tie('map')), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  })).map;
  fc.assert(
    fc.property(value, value, (from, to) => {
      const patch = makePatch(from, to);
      assert.deepEqual(patch === undefined ? from : applyPatch(from, patch), to);
    }),
  );
});
