import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ContainerExtras, EXTRAS_PREFIX, extraKeys, extrasOfLabels, labelsOfExtras, withoutExtras } from './extras.ts';

const word = fc.stringMatching(/^[a-z0-9=,[{" ]{1,8}$/).filter((text) => text.trim() === text);
const plain = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const path = plain.map((name) => `/dev/${name}`);
const map = fc.dictionary(word, fc.oneof(word, fc.constant('')), { minKeys: 1 });
const whole = fc.nat();
const positive = fc.integer({ min: 1, max: 1_000_000 });
const rates = fc.array(fc.record({ path, rate: positive }), { minLength: 1, maxLength: 2 });
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<NonNullable<T[K]>> }) => fc.record(model, { requiredKeys: [] });

const request = fc.tuple(
  fc.oneof(fc.record({ count: fc.oneof(fc.constant(-1), fc.integer({ min: 1, max: 99 })) }), fc.record({ deviceIds: fc.array(word, { minLength: 1 }) })),
  fc.record({ driver: plain, options: map }, { requiredKeys: [] }),
  fc.oneof(fc.constant(['gpu']), fc.array(plain, { minLength: 1 })),
);

const anyExtras = some<ContainerExtras>({
  privileged: fc.boolean(),
  devices: fc.array(
    fc.oneof(
      fc.record({ pathOnHost: path, pathInContainer: path, permissions: fc.constantFrom('r', 'rw', 'rwm') }),
      fc.constant({ pathOnHost: 'vendor.com/gpu=all', pathInContainer: 'vendor.com/gpu=all', permissions: 'rwm' }),
    ),
    { minLength: 1 },
  ),
  deviceCgroupRules: fc.array(fc.constantFrom('c 1:3 rwm', 'b *:* r', 'a *:* rwm'), { minLength: 1 }),
  deviceRequests: fc.array(
    request.map(([which, more, capabilities]) => ({ ...which, ...more, capabilities })),
    { minLength: 1 },
  ),
  securityOptions: fc.array(word, { minLength: 1 }),
  shmSizeBytes: positive,
  ipcMode: fc.constantFrom('none', 'private', 'shareable', 'host'),
  pidMode: fc.constant('host'),
  utsMode: fc.constant('host'),
  usernsMode: fc.constantFrom('host', 'keep-id'),
  cgroupnsMode: fc.constantFrom('host', 'private'),
  cgroupParent: plain,
  networkMode: fc.constant('none'),
  runtime: plain,
  domainname: plain,
  annotations: map,
  storageOptions: map,
  oomKillDisable: fc.boolean(),
  cpuShares: whole,
  cpuPeriodUs: whole,
  cpuQuotaUs: fc.oneof(whole, fc.constant(-1)),
  cpuRealtimePeriodUs: whole,
  cpuRealtimeRuntimeUs: whole,
  cpusetCpus: fc.constantFrom('0', '0-3', '0-1,4'),
  blkio: some<NonNullable<ContainerExtras['blkio']>>({
    weight: whole.map((weight) => weight % 1_000),
    weightDevices: fc.array(fc.record({ path, weight: whole.map((weight) => weight % 1_000) }), { minLength: 1, maxLength: 2 }),
    readBps: rates,
    readIops: rates,
    writeBps: rates,
    writeIops: rates,
  }).filter((blkio) => Object.keys(blkio).length > 0),
});

const one = (key: string, value: string) => extrasOfLabels({ [`${EXTRAS_PREFIX}${key}`]: value });

describe('engine options in labels', () => {
  it('read back as they were written, whatever they are', () => {
    fc.assert(fc.property(anyExtras, (extras) => assert.deepEqual(extrasOfLabels(labelsOfExtras(extras)), structuredClone(extras))));
  });

  it('are read or refused with their label, whatever is written in one', () => {
    fc.assert(
      fc.property(fc.constantFrom(...extraKeys), fc.oneof(fc.string(), fc.json(), word), (key, value) => {
        try {
          one(key, value);
        } catch (error) {
          assert.match((error as Error).message, new RegExp(`^label ${EXTRAS_PREFIX}${key}: `));
          assert.equal((error as { code?: string }).code, 'invalidArgument');
        }
      }),
    );
  });

  it('are what people write by hand', () => {
    assert.deepEqual(one('shm_size', '64m'), { shmSizeBytes: 64 << 20 });
    assert.deepEqual(one('gpus', 'all'), { deviceRequests: [{ count: -1, capabilities: ['gpu'] }] });
    assert.deepEqual(one('gpus', '2'), { deviceRequests: [{ count: 2, capabilities: ['gpu'] }] });
    assert.deepEqual(one('gpus', '"device=0,GPU-1",driver=nvidia,"capabilities=compute,utility"'), {
      deviceRequests: [{ deviceIds: ['0', 'GPU-1'], driver: 'nvidia', capabilities: ['gpu', 'compute', 'utility'] }],
    });
    assert.deepEqual(one('gpus', '[{"device_ids":["0"],"capabilities":["gpu"]}]'), { deviceRequests: [{ deviceIds: ['0'], capabilities: ['gpu'] }] });
    assert.deepEqual(one('devices', '/dev/fuse, /dev/sda:/dev/disk:r'), {
      devices: [
        { pathOnHost: '/dev/fuse', pathInContainer: '/dev/fuse', permissions: 'rwm' },
        { pathOnHost: '/dev/sda', pathInContainer: '/dev/disk', permissions: 'r' },
      ],
    });
    assert.deepEqual(one('storage_opt', 'size=10G'), { storageOptions: { size: '10G' } });
    assert.deepEqual(one('security_opt', '["label=level:s0:c1,c2"]'), { securityOptions: ['label=level:s0:c1,c2'] });
    assert.deepEqual(one('cpu_quota', '50ms'), { cpuQuotaUs: 50_000 });
  });

  for (const [key, value, problem] of [
    ['privileged', 'yes', /"yes" is not true or false/],
    ['privileged', 'constructor', /"constructor" is not true or false/],
    ['privilege', 'true', /no such engine option; did you mean com.docker.skep.engine.privileged\?/],
    ['zzzz', '', /there is no such engine option; the options are annotations, /],
    ['devices', 'fuse', /is not a list of devices such as \/dev\/fuse/],
    ['shm_size', '0', /is not a size such as 64m/],
    ['pid', 'container:x', /is not "host"; modes of other containers mean nothing on another node/],
    ['network_mode', 'host', /is not "none"/],
    ['gpus', 'count=1,device=0', /is not a number of GPUs/],
    ['gpus', '[{"count":0}]', /is not a number of GPUs/],
    ['gpus', '[]', /is not a number of GPUs/],
    ['blkio_config', '{"weigth":3}', /is not a JSON object such as/],
    ['cpuset', '1;2', /is not a list of CPUs/],
    ['runtime', 'a b', /is not a word/],
    ['annotations', 'a', /is not a list of name=value/],
  ] as const) {
    it(`refuse ${key}=${value}`, () => assert.throws(() => one(key, value), { message: problem }));
  }

  it('leave other labels alone', () => {
    const labels = { a: 'b', [`${EXTRAS_PREFIX}pid`]: 'host' };
    assert.deepEqual([withoutExtras(labels), extrasOfLabels({ a: 'b' })], [{ a: 'b' }, {}]);
  });
});
