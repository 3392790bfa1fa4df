// Values to try the keys of a Compose file with, and what must stand around a key so that it means something.
import type { Shape } from '#compose/schema/shape.ts';

type Values = { readonly [key: string]: unknown };

/** By the beginning of a path, the longest that fits: the service, and sections besides it. */
const surroundings: Readonly<Record<string, { readonly service?: Values; readonly sections?: Values }>> = {
  '': {},
  'services{}.configs': { service: { configs: [{ source: 'c' }] }, sections: { configs: { c: { content: 'x' }, d: { content: 'x' } } } },
  'services{}.credential_spec.config': { sections: { configs: { c: { content: 'x' } } } },
  'services{}.depends_on': { service: { depends_on: { other: { condition: 'service_started' } } } },
  'services{}.deploy.resources.reservations.generic_resources': {
    service: { deploy: { resources: { reservations: { generic_resources: [{ discrete_resource_spec: { kind: 'gpu', value: 2 } }] } } } },
  },
  'services{}.memswap_limit': { service: { mem_limit: '64m' } },
  'services{}.networks': { service: { networks: { n: {} } }, sections: { networks: { n: {} } } },
  'services{}.env_file[].format': { service: { env_file: [{ path: 'variables' }] } },
  'services{}.env_file[].required': { service: { env_file: [{ path: 'missing' }] } },
  'services{}.ports': { service: { ports: [{ target: 80 }] } },
  'services{}.secrets': { service: { secrets: [{ source: 's' }] }, sections: { secrets: { s: { environment: 'S' }, t: { environment: 'S' } } } },
  'services{}.ulimits': { service: { ulimits: { nofile: { soft: 10, hard: 20 } } } },
  'services{}.volumes': { service: { volumes: [{ type: 'volume', source: 'v', target: '/v' }] }, sections: { volumes: { v: {}, w: {} } } },
  'services{}.volumes[].bind': { service: { volumes: [{ type: 'bind', source: '/a', target: '/v' }] } },
  'services{}.volumes[].tmpfs': { service: { volumes: [{ type: 'tmpfs', target: '/v' }] } },
  'services{}.volumes[].image': { service: { volumes: [{ type: 'image', source: 'a', target: '/v' }] } },
  networks: { service: { networks: { n: {} } }, sections: { networks: { n: {} } } },
  volumes: { service: { volumes: ['v:/v'] }, sections: { volumes: { v: {} } } },
  secrets: { sections: { secrets: { s: { file: '/a' } } } },
  configs: { sections: { configs: { c: { file: '/a' } } } },
  'secrets{}.environment': { sections: { secrets: { s: { labels: {} } } } },
  'secrets{}.driver_opts': { sections: { secrets: { s: { driver: 'd' } } } },
  'configs{}.environment': { sections: { configs: { c: { labels: {} } } } },
  'configs{}.content': { sections: { configs: { c: { labels: {} } } } },
};

/** A whole project in which a key can stand, without it. */
export function around(path: string): Values {
  const [, found = {}] =
    Object.entries(surroundings)
      .filter(([start]) => path.startsWith(start))
      .sort(([a], [b]) => b.length - a.length)[0] ?? [];
  return { services: { a: { image: 'a', ...found.service }, other: { image: 'a' } }, ...found.sections };
}

/** Keys that are done or not done as a whole. */
const whole = new Set(
  ['build', 'develop', 'devices', 'extends', 'blkio_config', 'post_start', 'pre_stop', 'gpus']
    .map((key) => `services{}.${key}`)
    .concat('include', 'models', 'services{}.deploy.resources.reservations.devices'),
);

export const isWhole = (path: string) => whole.has(path);

/** For keys that take no common value, or mean nothing with one. */
const special: Readonly<Record<string, readonly unknown[]>> = {
  include: [[{ path: 'other.yaml' }]],
  models: [{ m: { model: 'x' } }],
  'services{}.build': [{ context: '.' }],
  'services{}.develop': [{ watch: [{ path: '.', action: 'rebuild' }] }],
  'services{}.devices': [['/dev/a:/dev/b:r'], [{ source: '/dev/a' }]],
  'services{}.deploy.resources.reservations.devices': [[{ capabilities: ['gpu'], count: 1 }]],
  'services{}.device_cgroup_rules': [['c 1:3 r']],
  'services{}.cpuset': ['0-1'],
  'services{}.cgroup': ['private'],
  'services{}.cgroupns_mode': ['private'],
  'services{}.extends': [{ service: 'base', file: 'other.yaml' }],
  'services{}.env_file[].path': ['variables'],
  'services{}.env_file[].required': [false],
  'services{}.env_file[].format': ['raw'],
  'services{}.label_file': [['labels']],
  'services{}.blkio_config': [{ weight: 10 }],
  'services{}.gpus': ['all', [{ count: 1 }]],
  'services{}.isolation': ['process'],
  'services{}.security_opt': [['no-new-privileges:true'], ['apparmor=profile'], ['systempaths=unconfined']],
  'services{}.storage_opt': [{ size: '1G' }],
  'services{}.post_start': [[{ command: ['x'] }]],
  'services{}.pre_stop': [[{ command: ['x'] }]],
  'services{}.secrets[].source': ['t'],
  'services{}.configs[].source': ['d'],
};

/** By kind; tried one after the other until one does something. */
export function samplesOf(path: string, shape: Shape): readonly unknown[] {
  return special[path] ?? valuesFor(shape);
}

const words = [
  'x',
  '1',
  '64m',
  '5s',
  '0.5',
  'host',
  'always',
  'global',
  'dnsrr',
  'rollback',
  'none',
  'udp',
  'a:1.2.3.4',
  'linux/arm64',
  'c',
  'w',
  'unless-stopped',
];

function valuesFor(shape: Shape): readonly unknown[] {
  switch (shape.kind) {
    case 'boolean':
      return [true, false];
    case 'integer':
    case 'number':
      return [7, 1, 0];
    case 'string':
      return shape.oneOf ?? words;
    case 'list':
      return valuesFor(shape.of).map((value) => [value]);
    case 'map':
      return valuesFor(shape.of).map((value) => ({ x: value }));
    case 'either':
      return shape.of.flatMap(valuesFor);
    case 'object':
      return [{}];
    default:
      return ['x', { x: 'x' }];
  }
}
