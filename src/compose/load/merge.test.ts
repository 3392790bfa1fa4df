import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeTexts, serviceOf } from '../testing/files.ts';

/** The service `a` of two files, each given as the body of that service. */
function merged(...bodies: readonly string[]) {
  return mergeTexts(...bodies.map((body) => `services: {a: ${body}}`)).project.services['a'] ?? {};
}

// Compose Specification, 13-merge; CM-… are the rows of the table of differences between Docker's three mergers.
describe('merging by the Compose Specification', () => {
  const rules: readonly (readonly [string, string, string, object])[] = [
    ['scalars: the later one', '{image: a, hostname: h}', '{image: b}', { hostname: 'h', image: 'b' }],
    [
      'CM-1 maps: deep',
      '{deploy: {replicas: 1, update_config: {parallelism: 2, delay: 1s}}}',
      '{deploy: {update_config: {delay: 2s}}}',
      { deploy: { replicas: 1, update_config: { parallelism: 2, delay: '2s' } } },
    ],
    ['CM-2 command: replaced', '{command: [a, b]}', '{command: c d}', { command: ['c', 'd'] }],
    ['CM-2 entrypoint: replaced', '{entrypoint: [a, b]}', '{entrypoint: [c]}', { entrypoint: ['c'] }],
    [
      'CM-2 healthcheck.test: replaced, the rest kept',
      '{healthcheck: {test: a, interval: 1s}}',
      '{healthcheck: {test: [CMD, b]}}',
      { healthcheck: { test: ['CMD', 'b'], interval: '1s' } },
    ],
    ['CM-3 environment: by key, list over map', '{environment: {A: 1, B: 2}}', '{environment: [B=3, C]}', { environment: { A: '1', B: '3', C: null } }],
    ['CM-3 labels: by key, map over list', '{labels: [a=1, b]}', '{labels: {b: 2}}', { labels: { a: '1', b: '2' } }],
    [
      'CM-3 sysctls and deploy.labels: by key',
      '{sysctls: [a=1], deploy: {labels: [x=1]}}',
      '{sysctls: {b: 2}, deploy: {labels: {x: 2}}}',
      { deploy: { labels: { x: '2' } }, sysctls: { a: '1', b: '2' } },
    ],
    [
      'CM-4 ports: one of each, whatever form',
      '{ports: ["80:80", "53"]}',
      '{ports: ["80:80", {target: 80, published: "80", mode: ingress, protocol: tcp}, "80:81", "54"]}',
      {
        ports: [
          { mode: 'ingress', target: 80, published: 80, protocol: 'tcp' },
          { mode: 'ingress', target: 53, protocol: 'tcp' },
          { mode: 'ingress', target: 81, published: 80, protocol: 'tcp' },
          { mode: 'ingress', target: 54, protocol: 'tcp' },
        ],
      },
    ],
    [
      'CM-4 ports: of the same port the later one',
      '{ports: ["80:80"]}',
      '{ports: [{target: 80, published: 80, mode: host}]}',
      { ports: [{ mode: 'host', target: 80, published: 80 }] },
    ],
    [
      'CM-5 volumes: by target',
      '{volumes: ["vv:/a:ro", "/h:/b"]}',
      '{volumes: [{type: volume, source: w, target: /a}]}',
      {
        volumes: [
          { type: 'volume', source: 'w', target: '/a' },
          { type: 'bind', source: '/h', target: '/b' },
        ],
      },
    ],
    [
      'CM-6 secrets and configs: by target',
      '{secrets: [s, {source: t, target: x}], configs: [c]}',
      '{secrets: [{source: u, target: /run/secrets/s}, {source: t, target: y}], configs: [{source: d, target: /c}]}',
      {
        configs: [{ source: 'd', target: '/c' }],
        secrets: [
          { source: 'u', target: '/run/secrets/s' },
          { source: 't', target: 'x' },
          { source: 't', target: 'y' },
        ],
      },
    ],
    [
      'CM-7 aliases: added',
      '{networks: {n: {aliases: [x]}, m: }}',
      '{networks: {n: {aliases: [y, x]}}}',
      { networks: { m: null, n: { aliases: ['y', 'x'].sort() } } },
    ],
    ['networks: a name alone takes nothing away', '{networks: {n: {aliases: [x]}}}', '{networks: [n, m]}', { networks: { m: null, n: { aliases: ['x'] } } }],
    [
      'CM-8 constraints: added',
      '{deploy: {placement: {constraints: [a==b]}}}',
      '{deploy: {placement: {constraints: [a==c, a==b]}}}',
      { deploy: { placement: { constraints: ['a==c', 'a==b'].sort() } } },
    ],
    ['CM-9 capabilities: each once', '{cap_add: [A, B]}', '{cap_add: [B, C]}', { cap_add: ['A', 'B', 'C'] }],
    ['CM-10 dns: each once, word or list', '{dns: 1.1.1.1}', '{dns: [1.1.1.1, 8.8.8.8]}', { dns: ['1.1.1.1', '8.8.8.8'] }],
    [
      'CM-11 logging: options of the same driver are added',
      '{logging: {driver: d, options: {a: 1, b: 1}}}',
      '{logging: {options: {b: 2}}}',
      { logging: { driver: 'd', options: { a: '1', b: '2' } } },
    ],
    ['CM-11 logging: with another driver they go', '{logging: {driver: d, options: {a: 1}}}', '{logging: {driver: e}}', { logging: { driver: 'e' } }],
    ['CM-13 false wins', '{tty: true, init: true, read_only: true}', '{tty: false, init: false, read_only: "no"}', { init: false }],
    ['CM-13 an empty text wins', '{hostname: h, image: x}', '{hostname: ""}', { image: 'x' }],
    ['CM-13 an empty command wins', '{command: [a], image: x}', '{command: []}', { image: 'x' }],
    ['CM-14 zero replicas win', '{deploy: {replicas: 3}}', '{deploy: {replicas: 0}}', { deploy: { replicas: 0 } }],
    [
      'CM-15 ulimits: by name, the later entry',
      '{ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}}',
      '{ulimits: {nofile: 7}}',
      { ulimits: { nofile: 7, nproc: 5 } },
    ],
    [
      'CM-16 !reset: as if it had never been said',
      '{image: x, ports: ["80:80"], environment: {A: 1, B: 2}}',
      '{ports: !reset [], environment: {A: !reset null}}',
      { environment: { B: '2' }, image: 'x' },
    ],
    ['CM-16 !reset of a scalar, and of what was never there', '{image: x, hostname: h}', '{hostname: !reset "", user: !reset x}', { image: 'x' }],
    [
      'CM-16 !override: replaced, not merged',
      '{ports: ["80:80"], environment: {A: 1}}',
      '{ports: !override ["81:81"], environment: !override [B=2]}',
      { environment: { B: '2' }, ports: [{ mode: 'ingress', target: 81, published: 81, protocol: 'tcp' }] },
    ],
    [
      'extra_hosts: added, both spellings',
      '{extra_hosts: ["a:1.1.1.1"]}',
      '{extra_hosts: {b: 2.2.2.2, c: ["3.3.3.3", "::1"]}}',
      { extra_hosts: ['a:1.1.1.1', 'b:2.2.2.2', 'c:3.3.3.3', 'c:::1'] },
    ],
    [
      'tmpfs, expose, devices: added',
      '{tmpfs: /a, expose: [1], devices: [/dev/a]}',
      '{tmpfs: [/b], expose: ["1", 2], devices: ["/dev/b:/dev/c:r"]}',
      { devices: ['/dev/a', '/dev/b:/dev/c:r'], expose: ['1', '2'], tmpfs: ['/a', '/b'] },
    ],
    ['x- fields: the later one', '{x-a: {b: 1}}', '{x-a: {c: 2}}', { 'x-a': { c: 2 } }],
  ];
  for (const [name, base, over, expected] of rules) {
    it(name, () => {
      const result = merged(base, over) as { deploy?: { placement?: { constraints: string[] } }; networks?: { n?: { aliases: string[] } } };
      // The order of what is each said once is not part of the rule.
      result.deploy?.placement?.constraints.sort();
      result.networks?.n?.aliases.sort();
      assert.deepEqual(result, expected);
    });
  }

  it('CM-12 depends_on: merged as a map', () => {
    const other = 'b: {image: x}, c: {image: x}';
    const { services } = mergeTexts(`services: {a: {depends_on: [b, c]}, ${other}}`, 'services: {a: {depends_on: {c: {condition: service_healthy}}}}').project;
    assert.deepEqual(services['a']?.depends_on, { b: { condition: 'service_started', required: true }, c: { condition: 'service_healthy', required: true } });
  });
  it('CM-17 versions: any, and different ones', () => assert.equal(mergeTexts('version: "2.4"', 'version: 3', '{}').project.version, '3'));
  it('networks, volumes, secrets and configs: deep, by name', () => {
    const { project } = mergeTexts(
      'networks: {n: {driver: d, labels: [a=1]}}\nvolumes: {v: }\nsecrets: {s: {file: /a}}',
      'networks: {n: {labels: {b: 2}}}\nvolumes: {v: {driver: x}}\nsecrets: {s: {file: /b}}',
    );
    assert.deepEqual(project, {
      services: {},
      networks: { n: { driver: 'd', labels: { a: '1', b: '2' } } },
      volumes: { v: { driver: 'x' } },
      secrets: { s: { file: '/b' } },
    });
  });
  it('three files: each over all before it', () => {
    assert.deepEqual(merged('{ports: ["1:1"], labels: [a=1]}', '{ports: !override ["2:2"], labels: !reset {}}', '{ports: ["3:3"], labels: [b=1]}'), {
      labels: { b: '1' },
      ports: [2, 3].map((port) => ({ mode: 'ingress', target: port, published: port, protocol: 'tcp' })),
    });
  });
  it('!reset holds through an extension in a later file', () => {
    const { services } = mergeTexts('services: {a: {image: x, ports: ["80:80"]}}', 'services: {base: {ports: !reset []}, a: {extends: base}}').project;
    assert.deepEqual(services['a'], { image: 'x' });
  });
  it('paths are relative to the first file', () => {
    const { services } = mergeTexts('services: {a: {image: x}}', 'services: {a: {volumes: ["./d:/d"]}}').project;
    assert.equal(services['a']?.volumes?.[0]?.source, '/project/d');
  });
});

describe('within one file', () => {
  it('of two ports, volumes or variables that are the same the later counts', () => {
    assert.deepEqual(serviceOf('{ports: ["80:80", "80:80/tcp"], volumes: ["aa:/x", "bb:/x"], environment: [A=1, A=2]}'), {
      environment: { A: '2' },
      ports: [{ mode: 'ingress', target: 80, published: 80, protocol: 'tcp' }],
      volumes: [{ type: 'volume', source: 'bb', target: '/x' }],
    });
  });
});
