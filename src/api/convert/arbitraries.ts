// Random specs for property tests, in the domain's canonical form: what says nothing is absent.
import fc from 'fast-check';
import type {
  ClusterSpec,
  ConfigReference,
  ContainerSpec,
  Driver,
  Mount,
  NetworkAttachmentConfig,
  NodeSpec,
  PortConfig,
  Privileges,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '#domain/spec.ts';
import { compact } from './common.ts';

const word = fc.stringMatching(/^[a-zA-Z0-9./:_ -]{1,12}$/);
const words = fc.array(word, { minLength: 1, maxLength: 3 });
const count = fc.integer({ min: 1, max: 1_000_000 });
const durationNs = fc.integer({ min: 0, max: 86_400_000 }).map((milliseconds) => milliseconds * 1_000_000);
const someNs = durationNs.filter((value) => value !== 0);
export const anyLabels = fc.dictionary(fc.oneof(word, fc.constant('__proto__')), fc.oneof(word, fc.constant('')), { maxKeys: 4, noNullPrototype: true });
const someLabels = anyLabels.filter((labels) => Object.keys(labels).length > 0);

/** Plain objects, as JSON.parse makes them. */
const record: typeof fc.record = (model: object, constraints: object = {}) => fc.record(model as never, { ...constraints, noNullPrototype: true });

/** All keys may be absent. */
function optional<T extends object>(model: { [K in keyof T]: fc.Arbitrary<Exclude<T[K], undefined>> }): fc.Arbitrary<T> {
  return record(model, { requiredKeys: [] }).map((value) => compact<object>(value) as T);
}

const driver: fc.Arbitrary<Driver> = record({ name: word, options: someLabels }, { requiredKeys: ['name'] });

const file = record({ name: word, uid: word, gid: word, mode: fc.integer({ min: 0, max: 0o777 }) });

const configReference: fc.Arbitrary<ConfigReference> = record({
  configId: word,
  configName: word,
  target: fc.oneof(record({ kind: fc.constant('file' as const), file }), fc.constant({ kind: 'runtime' as const })),
});

const credentialSpec: fc.Arbitrary<NonNullable<Privileges['credentialSpec']>> = fc.oneof(
  word.map((config) => ({ config, file: '', registry: '' })),
  word.map((name) => ({ config: '', file: name, registry: '' })),
  word.map((registry) => ({ config: '', file: '', registry })),
);

const privileges: fc.Arbitrary<Privileges> = optional<Privileges>({
  credentialSpec,
  selinux: record({ disable: fc.boolean(), user: word, role: word, type: word, level: word }),
  seccomp: record({ mode: fc.constantFrom('default', 'unconfined', 'custom'), profile: fc.base64String({ minLength: 4 }) }, { requiredKeys: ['mode'] }),
  apparmor: record({ mode: fc.constantFrom('default', 'disabled') }),
  noNewPrivileges: fc.constant(true),
});

const bind: fc.Arbitrary<NonNullable<Mount['bind']>> = record(
  {
    propagation: fc.constantFrom('rprivate', 'shared', 'rslave'),
    nonRecursive: fc.constant(true),
    createMountpoint: fc.constant(true),
    readOnlyNonRecursive: fc.constant(true),
    readOnlyForceRecursive: fc.constant(true),
  },
  { requiredKeys: ['propagation'] },
);

export const anyMount: fc.Arbitrary<Mount> = record(
  {
    type: fc.constantFrom('bind', 'volume', 'tmpfs', 'npipe', 'cluster', 'image'),
    source: word,
    target: word,
    readOnly: fc.constant(true),
    consistency: word,
    bind,
    volume: optional<NonNullable<Mount['volume']>>({
      noCopy: fc.constant(true),
      labels: someLabels,
      subpath: word,
      driver: optional<NonNullable<NonNullable<Mount['volume']>['driver']>>({ name: word, options: someLabels }),
    }),
    image: optional<NonNullable<Mount['image']>>({ subpath: word }),
    tmpfs: optional<NonNullable<Mount['tmpfs']>>({
      sizeBytes: count,
      mode: count,
      options: fc.array(fc.array(word, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 }),
    }),
  },
  { requiredKeys: ['type', 'target'] },
);

const container: fc.Arbitrary<ContainerSpec> = record(
  {
    image: word,
    labels: someLabels,
    command: words,
    args: words,
    hostname: word,
    env: words,
    dir: word,
    user: word,
    groups: words,
    privileges,
    init: fc.boolean(),
    stopSignal: word,
    tty: fc.constant(true),
    openStdin: fc.constant(true),
    readOnly: fc.constant(true),
    mounts: fc.array(anyMount, { minLength: 1, maxLength: 2 }),
    stopGracePeriodNs: durationNs,
    healthcheck: optional<NonNullable<ContainerSpec['healthcheck']>>({
      test: words,
      intervalNs: someNs,
      timeoutNs: someNs,
      startPeriodNs: someNs,
      startIntervalNs: someNs,
      retries: count,
    }),
    hosts: words,
    dns: optional<NonNullable<ContainerSpec['dns']>>({ nameservers: words, search: words, options: words }),
    secrets: fc.array(record({ secretId: word, secretName: word, file }), { minLength: 1, maxLength: 2 }),
    configs: fc.array(configReference, { minLength: 1, maxLength: 2 }),
    isolation: fc.constantFrom('process', 'hyperv'),
    sysctls: someLabels,
    capabilityAdd: words,
    capabilityDrop: words,
    ulimits: fc.array(record({ name: word, hard: fc.integer(), soft: fc.integer() }), { minLength: 1, maxLength: 2 }),
    oomScoreAdj: count,
  },
  { requiredKeys: ['image'] },
);

const attachments: fc.Arbitrary<readonly NetworkAttachmentConfig[]> = fc.array(
  record({ target: word, aliases: words, driverOptions: someLabels }, { requiredKeys: ['target'] }),
  { minLength: 1, maxLength: 2 },
);

const taskSpec: fc.Arbitrary<TaskSpec> = record(
  {
    runtime: container.map((spec) => ({ kind: 'container' as const, container: spec })),
    resources: optional<NonNullable<TaskSpec['resources']>>({
      limits: optional<NonNullable<NonNullable<TaskSpec['resources']>['limits']>>({ nanoCpus: count, memoryBytes: count, pids: count }),
      reservations: optional<NonNullable<NonNullable<TaskSpec['resources']>['reservations']>>({
        nanoCpus: count,
        memoryBytes: count,
        generic: fc.array(
          fc.oneof(
            record({ kind: fc.constant('named' as const), name: word, value: word }),
            record({ kind: fc.constant('discrete' as const), name: word, value: count }),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      swapBytes: count,
      memorySwappiness: count,
    }),
    restart: record(
      { condition: fc.constantFrom('none', 'on-failure', 'any'), delayNs: durationNs, maxAttempts: fc.nat(10), windowNs: durationNs },
      { requiredKeys: ['condition', 'maxAttempts'] },
    ),
    placement: optional<NonNullable<TaskSpec['placement']>>({
      constraints: words,
      preferences: fc.array(record({ spread: word }), { minLength: 1, maxLength: 2 }),
      maxReplicas: count,
      platforms: fc.array(record({ architecture: fc.oneof(word, fc.constant('')), os: word }), { minLength: 1, maxLength: 2 }),
    }),
    networks: attachments,
    logDriver: driver,
    forceUpdate: fc.nat(),
  },
  { requiredKeys: ['runtime', 'forceUpdate'] },
);

const updateConfig: fc.Arbitrary<UpdateConfig> = record(
  {
    parallelism: fc.nat(20),
    delayNs: someNs,
    failureAction: fc.constantFrom('pause', 'continue', 'rollback'),
    monitorNs: someNs,
    maxFailureRatio: fc.constantFrom(0.1, 0.25, 1),
    order: fc.constantFrom('stop-first', 'start-first'),
  },
  { requiredKeys: ['parallelism', 'failureAction', 'order'] },
);

const port: fc.Arbitrary<PortConfig> = record(
  {
    name: word,
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    targetPort: fc.integer({ min: 1, max: 65_535 }),
    publishedPort: fc.integer({ min: 1, max: 65_535 }),
    publishMode: fc.constantFrom('ingress', 'host'),
  },
  { requiredKeys: ['protocol', 'targetPort', 'publishMode'] },
);

const mode: fc.Arbitrary<ServiceMode> = fc.oneof(
  record({ kind: fc.constant('replicated' as const), replicas: fc.nat(1_000) }),
  fc.constant({ kind: 'global' as const }),
  record({ kind: fc.constant('replicated-job' as const), maxConcurrent: fc.nat(10), totalCompletions: fc.nat(10) }),
  fc.constant({ kind: 'global-job' as const }),
);

export const anyServiceSpec: fc.Arbitrary<ServiceSpec> = record(
  {
    name: word,
    labels: anyLabels,
    task: taskSpec,
    mode,
    update: updateConfig,
    rollback: updateConfig,
    networks: attachments,
    endpoint: record({ mode: fc.constantFrom('vip', 'dnsrr'), ports: fc.array(port, { minLength: 1, maxLength: 3 }) }, { requiredKeys: ['mode'] }),
  },
  { requiredKeys: ['name', 'labels', 'task', 'mode'] },
);

export const anyNodeSpec: fc.Arbitrary<NodeSpec> = record(
  {
    name: word,
    labels: anyLabels,
    role: fc.constantFrom('worker', 'manager'),
    availability: fc.constantFrom('active', 'pause', 'drain'),
  },
  { requiredKeys: ['labels', 'role', 'availability'] },
);

export const anyClusterSpec: fc.Arbitrary<ClusterSpec> = record({
  name: fc.constant('default'),
  labels: anyLabels,
  orchestration: record({ taskHistoryRetentionLimit: fc.integer({ min: -1, max: 20 }) }),
  raft: record(
    { snapshotInterval: count, keepOldSnapshots: fc.nat(5), logEntriesForSlowFollowers: count, electionTick: fc.nat(20), heartbeatTick: fc.nat(5) },
    { requiredKeys: ['keepOldSnapshots', 'electionTick', 'heartbeatTick'] },
  ),
  dispatcher: optional<ClusterSpec['dispatcher']>({ heartbeatPeriodNs: someNs }),
  ca: optional<ClusterSpec['ca']>({
    nodeCertExpiryNs: someNs,
    externalCas: fc.array(
      record({ protocol: fc.constant('cfssl'), url: word, options: someLabels, caCert: word }, { requiredKeys: ['protocol', 'url', 'caCert'] }),
      { minLength: 1, maxLength: 2 },
    ),
    forceRotate: count,
  }),
  taskDefaults: optional<ClusterSpec['taskDefaults']>({ logDriver: driver }),
  encryption: record({ autoLockManagers: fc.boolean() }),
});
