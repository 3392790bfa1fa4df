// Every endpoint's answers against the published description of the Engine API, from the whole daemon in this process.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type InProcessApi, startInProcessApi } from './in-process.ts';
import { loadOpenApi, type OpenApi } from './openapi.ts';
import type { Recorded } from './shared-data.ts';
import { skipWithoutSharedData } from './shared-data.ts';

const data = Buffer.from('hello').toString('base64');

describe('answers have the published shape', { skip: skipWithoutSharedData }, () => {
  let api: InProcessApi;
  let openApi: OpenApi;
  let nodeId = '';

  before(async () => {
    openApi = loadOpenApi();
    api = await startInProcessApi({ logsOf: (task) => [`hello from ${task.slot}`] });
    nodeId = await api.init();
  });
  after(() => api.close());

  /** Sends a request and checks the answer; `template` is the description's path when it has parameters. */
  async function ask(method: string, path: string, status: number, { body, template = path.split('?')[0] ?? '' }: { body?: unknown; template?: string } = {}) {
    const answer = await api.http(method, path, body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.equal(openApi.check(method, template, status, answer.body), undefined, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as Recorded;
  }

  const web = (fields: object = {}) => ({
    Name: 'web',
    TaskTemplate: { ContainerSpec: { Image: 'tiny:1' }, Networks: [{ Target: 'net1', Aliases: ['www'] }], RestartPolicy: { Condition: 'none' } },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 8080 }] },
    ...fields,
  });

  test('the swarm and its nodes', async () => {
    const swarm = await ask('GET', '/swarm', 200);
    assert.match(swarm['JoinTokens'].Worker, /^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    assert.deepEqual(await ask('GET', '/swarm/unlockkey', 200), { UnlockKey: '' });
    await ask('POST', `/swarm/update?version=${swarm['Version'].Index}&rotateWorkerToken=true`, 200, { body: swarm['Spec'] });
    assert.notEqual((await ask('GET', '/swarm', 200))['JoinTokens'].Worker, swarm['JoinTokens'].Worker);
    await api.until<Recorded>(`/nodes/${nodeId}`, (node) => node['Status'].State === 'ready');
    const node = (await ask('GET', '/nodes', 200))[0];
    assert.equal(node.ID, nodeId);
    await ask('GET', `/nodes/${nodeId}`, 200, { template: '/nodes/{id}' });
    await ask('POST', `/nodes/${nodeId}/update?version=${node.Version.Index}`, 200, {
      template: '/nodes/{id}/update',
      body: { ...node.Spec, Labels: { zone: 'a' } },
    });
    assert.deepEqual((await ask('GET', `/nodes/n1`, 200, { template: '/nodes/{id}' }))['Spec'].Labels, { zone: 'a' });
  });

  test('secrets and configs', async () => {
    for (const kind of ['secrets', 'configs']) {
      const { ID: id } = await ask('POST', `/${kind}/create`, 201, { body: { Name: 'one', Labels: { a: 'b' }, Data: data } });
      const shown = await ask('GET', `/${kind}/one`, 200, { template: `/${kind}/{id}` });
      assert.equal(shown['Spec'].Data, kind === 'configs' ? data : undefined);
      await ask('POST', `/${kind}/${id}/update?version=${shown['Version'].Index}`, 200, {
        template: `/${kind}/{id}/update`,
        body: { ...shown['Spec'], Labels: { c: 'd' } },
      });
      assert.deepEqual(
        (await ask('GET', `/${kind}?filters={"label":["c=d"]}`, 200)).map((item: Recorded) => item['Spec'].Name),
        ['one'],
      );
      await ask('DELETE', `/${kind}/one`, 204, { template: `/${kind}/{id}` });
    }
  });

  test('networks', async () => {
    const { Id: id } = await ask('POST', '/networks/create', 201, { body: { Name: 'net1', Driver: 'overlay', Attachable: true } });
    await api.until<Recorded>('/networks/net1', (network) => network['Driver'] === 'overlay');
    const shown = await ask('GET', `/networks/${id}`, 200, { template: '/networks/{id}' });
    assert.deepEqual([shown['Scope'], shown['Attachable'], shown['IPAM'].Config.length], ['swarm', true, 1]);
    const { Id: other } = await ask('POST', '/networks/create', 201, { body: { Name: 'serial', Driver: 'overlay', IPAM: { Options: { foo: 'bar' } } } });
    const served = await api.until<Recorded>('/networks/serial', (network) => network['Driver'] === 'overlay');
    assert.deepEqual(served['IPAM'].Options, { foo: 'bar', 'com.docker.network.ipam.serial': 'true' });
    await ask('DELETE', `/networks/${other}`, 204, { template: '/networks/{id}' });
    const names = (await ask('GET', '/networks', 200)).map((network: Recorded) => network['Name']);
    assert.deepEqual(names.sort(), ['bridge', 'host', 'ingress', 'net1', 'none']);
  });

  test('a network of the swarm has the name of a local one only where an older client does not ask for the check', async () => {
    const create = async (version: string, body: object) => (await api.http('POST', `${version}/networks/create`, { Name: 'both', ...body })).status;
    assert.equal(await create('', { Driver: 'bridge' }), 201);
    assert.equal(await create('', { Driver: 'overlay' }), 409);
    assert.equal(await create('/v1.43', { Driver: 'overlay', CheckDuplicate: true }), 409);
    assert.equal(await create('/v1.43', { Driver: 'overlay' }), 201);
    assert.equal(await create('/v1.43', { Driver: 'overlay' }), 409);
    const named = ((await api.http('GET', '/networks')).body as Recorded[]).filter((network) => network['Name'] === 'both');
    assert.deepEqual(new Set(named.map((network) => network['Scope'])), new Set(['local', 'swarm']));
    for (const { Id: id } of named) assert.equal((await api.http('DELETE', `/networks/${id}`)).status, 204);
  });

  test('a network’s local part in the engine is not shown, and gives the network its containers', async () => {
    const shown = await ask('GET', '/networks/net1', 200, { template: '/networks/{id}' });
    const localId = api.engine.addNetwork('skep-net1', { 'com.docker.skep.network': shown['Id'] });
    const names = (await ask('GET', '/networks', 200)).map((network: Recorded) => network['Name']);
    assert.equal(names.includes('skep-net1'), false);
    assert.equal((await api.http('GET', `/networks/${localId}`)).status, 404);
    assert.deepEqual((await ask('GET', '/networks/net1?verbose=true', 200, { template: '/networks/{id}' }))['Containers'], {});
    api.engine.addNetwork('docker_gwbridge', { 'com.docker.skep.instance': 'any' });
    await api.http('POST', '/networks/prune');
    assert.deepEqual(
      ['skep-net1', 'docker_gwbridge'].filter((name) => !api.engine.networkNames().includes(name)),
      [],
    );
    await ask('POST', '/networks/create', 201, { body: { Name: 'net1', Driver: 'overlay' } });
  });

  test('services, their tasks and logs', async () => {
    const { ID: id } = await ask('POST', '/services/create', 201, { body: web() });
    const tasks = await api.until<Recorded[]>('/tasks', (list) => list.length === 2 && list.every((task) => task['Status'].State === 'running'));
    await ask('GET', '/tasks?filters={"service":["web"]}', 200);
    await ask('GET', `/tasks/${tasks[0]?.['ID']}`, 200, { template: '/tasks/{id}' });
    const listed = (await ask('GET', '/services?status=true', 200))[0];
    assert.deepEqual(listed.ServiceStatus, { RunningTasks: 2, DesiredTasks: 2, CompletedTasks: 0 });
    const shown = await ask('GET', '/services/web?insertDefaults=true', 200, { template: '/services/{id}' });
    assert.equal(shown['Spec'].UpdateConfig.Parallelism, 1);
    assert.deepEqual(shown['Endpoint'].VirtualIPs.length, 2);
    const logs = await api.http('GET', '/services/web/logs?stdout=1&details=1');
    assert.match(String(logs.body), /com\.docker\.swarm\.node\.id=\w+,com\.docker\.swarm\.service\.id=\w+,com\.docker\.swarm\.task\.id=\w+ hello from 1\n/);
    const { Version: version } = await ask('GET', `/services/${id}`, 200, { template: '/services/{id}' });
    await ask('POST', `/services/${id}/update?version=${version.Index}`, 200, { template: '/services/{id}/update', body: web({ Labels: { x: 'y' } }) });
    assert.deepEqual((await ask('GET', '/services/web', 200, { template: '/services/{id}' }))['PreviousSpec'].Labels, {});
    await ask('DELETE', '/services/web', 200, { template: '/services/{id}' });
    await api.until<Recorded[]>('/tasks', (list) => list.length === 0);
  });

  test('a service without a name gets one, and credentials are never shown', async () => {
    const auth = Buffer.from('{"username":"u","password":"very-secret"}').toString('base64url');
    const { body } = await api.http('POST', '/services/create', web({ Name: '', EndpointSpec: undefined }), { 'X-Registry-Auth': auth });
    const shown = await api.http('GET', `/services/${(body as Recorded)['ID']}`);
    assert.match((shown.body as Recorded)['Spec'].Name, /^[a-z]+_[a-z]+$/);
    assert.equal(JSON.stringify(shown.body).includes(auth), false);
    await api.http('DELETE', `/services/${(body as Recorded)['ID']}`);
  });

  test('a network of this engine only cannot be used by services', async () => {
    api.engine.addNetwork('local1');
    const answer = await api.http('POST', '/services/create', web({ TaskTemplate: { ContainerSpec: { Image: 'a' }, Networks: [{ Target: 'local1' }] } }));
    assert.deepEqual(
      [answer.status, (answer.body as Recorded)['message']],
      [403, 'The network local1 cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.'],
    );
  });

  test('errors are JSON with a message', async () => {
    await ask('GET', '/services/nosuch', 404, { template: '/services/{id}' });
    await ask('GET', '/tasks?filters={"bogus":["x"]}', 500).catch(() => undefined);
    assert.deepEqual((await api.http('GET', '/tasks?filters={"bogus":["x"]}')).body, { message: "invalid filter 'bogus'" });
  });
});
