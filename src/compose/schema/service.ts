// The form of a service. Keys stand in the order in which Docker's CLI prints them, those that it does not know in between.
import { list, map, scalar } from '../yaml/node.ts';
import { deploy, deviceReservation, logging } from './deploy.ts';
import { absolutePath, bytes, bytesOrUnlimited, command, duration, environment, pairs, wordOrWords, words, wordsOrNumbers } from './forms.ts';
import { configs, dependsOn, envFile, extraHosts, labelFile, networks, ports, secrets, ulimits, volumes } from './service-lists.ts';
import {
  anything,
  boolean,
  either,
  type Expand,
  flag,
  integer,
  listOf,
  mapOf,
  object,
  type ObjectShape,
  oneOf,
  type ScalarShape,
  string,
  text,
} from './shape.ts';

const contextAlone: Expand = (node) => (node.kind === 'scalar' && node.value !== null ? map([['context', node]], node.mark) : node);

const build = object(
  {
    context: string,
    dockerfile: string,
    dockerfile_inline: string,
    entitlements: words,
    args: environment,
    ssh: environment,
    labels: pairs,
    cache_from: words,
    cache_to: words,
    no_cache: flag,
    additional_contexts: pairs,
    network: string,
    provenance: either('must be a string', string, boolean),
    sbom: either('must be a string', string, boolean),
    pull: flag,
    target: string,
    shm_size: bytes,
    extra_hosts: extraHosts,
    isolation: string,
    privileged: flag,
    secrets,
    tags: words,
    ulimits,
    platforms: words,
  },
  { expand: contextAlone },
);

const blkioRates = listOf(object({ path: string, rate: bytes }, { extensions: false }));
const blkio = object(
  {
    device_read_bps: blkioRates,
    device_read_iops: blkioRates,
    device_write_bps: blkioRates,
    device_write_iops: blkioRates,
    weight: integer,
    weight_device: listOf(object({ path: string, weight: integer }, { extensions: false })),
  },
  { extensions: false },
);

const testWords: Expand = (node) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return node;
  return list([scalar('CMD-SHELL', node.mark), node], node.mark);
};

const healthcheck = object(
  {
    test: listOf(string, { merge: 'replace', expand: testWords }),
    timeout: duration,
    interval: duration,
    retries: integer,
    start_period: duration,
    start_interval: duration,
    disable: flag,
  },
  { keepEmpty: true },
);

const hook = object({ command, user: string, privileged: flag, working_dir: string, environment }, { required: ['command'] });

const development = object(
  {
    watch: listOf(
      object({
        ignore: wordOrWords,
        include: wordOrWords,
        path: string,
        action: oneOf('rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'),
        target: string,
        exec: hook,
        initial_sync: flag,
      }),
    ),
  },
  { nullable: true },
);

const extendsShape = object(
  { service: string, file: string },
  { required: ['service'], extensions: false, expand: (node) => (node.kind === 'scalar' ? map([['service', node]], node.mark) : node) },
);

const device = either('must be a string', string, object({ source: string, target: string, permissions: string }, { required: ['source'] }));

/** A seccomp profile in a file is relative to the Compose file. */
const securityOption: ScalarShape = {
  ...string,
  finish(node, _path, { directory, home }) {
    const [, head = '', file] = node.kind === 'scalar' ? (/^(seccomp[:=])(?!unconfined$|\{|\$)(.+)$/s.exec(String(node.value)) ?? []) : [];
    return file === undefined ? node : scalar(`${head}${absolutePath(file, directory, home)}`, node.mark);
  },
};

const first: ObjectShape['keys'] = {
  annotations: pairs,
  attach: boolean,
  blkio_config: blkio,
  build,
  cap_add: words,
  cap_drop: words,
  cgroup: oneOf('host', 'private'),
  cgroupns_mode: string,
  cgroup_parent: string,
  command,
  configs,
  container_name: string,
  cpu_count: integer,
  cpu_percent: integer,
  cpu_period: text,
  cpu_quota: text,
  cpu_rt_period: text,
  cpu_rt_runtime: text,
  cpu_shares: integer,
  cpus: text,
  cpuset: string,
  credential_spec: object({ config: string, file: string, registry: string }),
  depends_on: dependsOn,
  deploy,
  develop: development,
  device_cgroup_rules: words,
  devices: listOf(device),
  dns: wordOrWords,
  dns_opt: words,
  dns_search: wordOrWords,
  domainname: string,
  entrypoint: command,
  environment,
  env_file: envFile,
  expose: wordsOrNumbers,
  extends: extendsShape,
  external_links: words,
  extra_hosts: extraHosts,
  gpus: either('must be "all" or a list', oneOf('all'), listOf(deviceReservation)),
  group_add: wordsOrNumbers,
  hostname: string,
};

const second: ObjectShape['keys'] = {
  healthcheck,
  image: string,
  init: boolean,
  ipc: string,
  isolation: string,
  label_file: labelFile,
  labels: pairs,
  links: words,
  logging,
  mac_address: string,
  mem_limit: bytes,
  mem_reservation: bytes,
  mem_swappiness: integer,
  memswap_limit: bytesOrUnlimited,
  models: anything,
  network_mode: string,
  networks,
  oom_kill_disable: flag,
  oom_score_adj: integer,
  pid: string,
  pids_limit: integer,
  platform: string,
  ports,
  post_start: listOf(hook),
  pre_stop: listOf(hook),
  privileged: flag,
  profiles: words,
  provider: anything,
  pull_policy: string,
  pull_refresh_after: string,
  read_only: flag,
  restart: string,
  runtime: string,
  scale: integer,
  secrets,
  security_opt: { ...words, of: securityOption },
  shm_size: bytes,
  stdin_open: flag,
  stop_grace_period: duration,
  stop_signal: string,
  storage_opt: mapOf({ ...text, accepts: ['number', 'boolean'] }),
  sysctls: pairs,
  tmpfs: wordOrWords,
  tty: flag,
  ulimits,
  use_api_socket: flag,
  user: string,
  userns_mode: string,
  uts: string,
  volume_driver: string,
  volumes,
  volumes_from: words,
  working_dir: string,
};

export const service: ObjectShape = object({ ...first, ...second });
