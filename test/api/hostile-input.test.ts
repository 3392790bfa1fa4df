// What a client that is broken or malicious sends to our own routes: names that every JavaScript object has, texts that no text should hold, sizes and depths.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type InProcessApi, startInProcessApi } from './in-process.ts';

interface Answered {
  readonly message: string;
  readonly Spec: {
    readonly Labels: object;
    readonly TaskTemplate: { readonly ContainerSpec: { readonly Labels: object; readonly Sysctls: object; readonly Env: unknown } };
  };
}

/** What any object answers to. */
const inherited = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf'];
const labels = `{${['__proto__', ...inherited, '$bytes'].map((key) => `${JSON.stringify(key)}:"x"`).join(',')}}`;
const service = (name: string, container = '', more = '') => `{"Name":"${name}","TaskTemplate":{"ContainerSpec":{"Image":"busybox"${container}}}${more}}`;

describe('a hostile client', () => {
  let api: InProcessApi;
  let node: { readonly ID: string; readonly Version: { readonly Index: number } };
  before(async () => {
    api = await startInProcessApi();
    await api.init();
    [node] = (await api.http('GET', '/nodes')).body as [typeof node];
  });
  after(() => api.close());

  const post = async (path: string, body: string) => {
    const { status, body: answered } = await api.http('POST', path, body);
    return [status, (answered as Answered | undefined)?.message ?? ''] as const;
  };
  const get = async (path: string) => {
    const { status, body } = await api.http('GET', path);
    return { status, body: body as Answered };
  };
  const count = async (filters: object) =>
    ((await get(`/services?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body as unknown as unknown[]).length;

  it('finds nothing by the names that every object has', async () => {
    for (const name of ['__proto__', ...inherited])
      for (const noun of ['services', 'secrets', 'configs', 'nodes', 'tasks']) {
        assert.equal((await get(`/${noun}/${name}`)).status, 404, `${noun} ${name}`);
        assert.match((await get(`/${noun}?filters=${encodeURIComponent(`{"${name}":["x"]}`)}`)).body.message, /invalid filter/);
      }
    for (const path of ['/services', '/networks'])
      assert.equal((await post(`${path}/create`, `{"Name":"__proto__","Driver":"overlay","TaskTemplate":{"ContainerSpec":{"Image":"b"}}}`))[0], 400);
  });

  it('gives and filters labels, variables and options with such names as any other', async () => {
    assert.deepEqual(await post('/services/create', service('proto', `,"Labels":${labels},"Sysctls":${labels},"Env":["__proto__=1"]`, `,"Labels":${labels}`)), [
      201,
      '',
    ]);
    const { Spec } = (await get('/services/proto')).body;
    const { Labels, Sysctls, Env } = Spec.TaskTemplate.ContainerSpec;
    for (const held of [Spec.Labels, Labels, Sysctls]) assert.deepEqual(new Map(Object.entries(held)), new Map(Object.entries(JSON.parse(labels) as object)));
    assert.deepEqual(Env, ['__proto__=1']);
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    for (const key of ['__proto__', ...inherited]) assert.deepEqual([await count({ label: [key] }), await count({ label: [`${key}=y`] })], [1, 0]);
    assert.equal(await count({ label: ['propertyIsEnumerable'] }), 0);
    assert.deepEqual(
      await post(`/nodes/${node.ID}/update?version=${node.Version.Index}`, `{"Role":"manager","Availability":"active","Labels":{"__proto__":"p"}}`),
      [200, ''],
    );
    const placement = (constraint: string) =>
      service(`on${constraint.length}`, '', '').replace('"ContainerSpec"', `"Placement":{"Constraints":["${constraint}"]},"ContainerSpec"`);
    assert.deepEqual(await post('/services/create', placement('node.labels.__proto__==p')), [201, '']);
    assert.deepEqual(await post('/services/create', placement('node.labels.constructor==p')), [201, '']);
    await api.until<
      readonly {
        readonly Spec: { readonly Placement?: { readonly Constraints: readonly string[] } };
        readonly Status: { readonly State: string; readonly Err?: string };
      }[]
    >('/tasks', (tasks) => {
      const states = Object.fromEntries(tasks.map(({ Spec: { Placement }, Status }) => [Placement?.Constraints[0] ?? '', Status]));
      return states['node.labels.__proto__==p']?.State === 'running' && /no suitable node/.test(states['node.labels.constructor==p']?.Err ?? '');
    });
  });

  it('is told in Docker’s words what is too large or too deep, and nothing is made', async () => {
    const data = (bytes: number) => Buffer.alloc(bytes, 'x').toString('base64');
    const before = await get('/services');
    assert.deepEqual(await post('/configs/create', `{"Name":"big","Data":"${data(1_024_000)}"}`), [
      400,
      'rpc error: code = InvalidArgument desc = config data must be larger than 0 and less than 1024000 bytes',
    ]);
    assert.deepEqual(await post('/secrets/create', `{"Name":"big","Data":"${data(512_000)}"}`), [
      400,
      'rpc error: code = InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes',
    ]);
    assert.equal((await post('/configs/create', `{"Name":"large","Data":"${data(1_023_999)}"}`))[0], 201);
    assert.deepEqual(await post('/services/create', service('huge', `,"Env":["A=${'x'.repeat(10_000_000)}"]`)), [
      400,
      'invalid JSON: http: request body too large',
    ]);
    assert.deepEqual(await post('/services/create', service('huge', `,"Env":["A=${'x'.repeat(2_000_000)}"]`)), [
      500,
      "rpc error: code = Unknown desc = raft: raft message is too large and can't be sent",
    ]);
    for (const deep of ['['.repeat(100_000), `${'['.repeat(100_000)}${']'.repeat(100_000)}`, '{"a":'.repeat(100_000)])
      assert.deepEqual(await post('/services/create', `{"Name":"deep","X":${deep}`), [400, 'invalid JSON: exceeded max depth']);
    assert.deepEqual(await get('/services'), before);
  });

  it('cannot name anything with NUL, with half a character or with what is no UTF-8', async () => {
    for (const name of ['a\\u0000b', 'a\\ud800b', '\\u0000'])
      for (const [path, rest] of [
        ['/services/create', '"TaskTemplate":{"ContainerSpec":{"Image":"b"}}'],
        ['/networks/create', '"Driver":"overlay"'],
        ['/secrets/create', '"Data":"YQ=="'],
        ['/configs/create', '"Data":"YQ=="'],
      ] as const)
        assert.equal((await post(path, `{"Name":"${name}",${rest}}`))[0], 400, `${path} ${name}`);
    assert.equal((await post('/services/create', service('half', '', ',"Labels":{"a\\ud800":"\\udfff"}')))[0], 201);
    assert.deepEqual((await get('/services/half')).body.Spec.Labels, { 'a\ufffd': '\ufffd' });
  });
});
