// Two nodes with an encrypted network and a plain one: what crosses the link between them can be read on the one and not on the other.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { runOrThrow, until } from '../lib/engine.ts';
import { type Lab, type LabContainer, startLab } from './network-lab.ts';

const ADDRESSES = ['10.78.0.1', '10.78.0.2'] as const;
const DEVICE = 'skw0';
const LAST = 'nothing-comes-after-this';
/** Part of what is asked for over HTTP. */
const MARKER = 'in-the-clear-or-not';

let labs: readonly Lab[] = [];
let containers: readonly { readonly secret: LabContainer; readonly plain: LabContainer }[] = [];
let cluster: ClusterNetworkState;
let reason: string | undefined;

before(async () => {
  labs = await Promise.all([startLab(), startLab()]);
  const [one, two] = both(labs);
  const ability = one.dataPlane.encryption;
  if (ability.kind === 'unavailable') {
    reason = ability.reason;
    return;
  }
  const enter = ['nsenter', `--net=/proc/${one.engine.pid}/ns/net`];
  await runOrThrow([...enter, 'ip', 'link', 'add', 'peer', 'type', 'veth', 'peer', 'name', 'peer', 'netns', String(two.engine.pid)]);
  for (const [index, lab] of labs.entries()) {
    await lab.engine.exec(['ip', 'addr', 'add', `${ADDRESSES[index]}/24`, 'dev', 'peer']);
    await lab.engine.exec(['ip', 'link', 'set', 'peer', 'up']);
    await lab.createNetwork('secret', 4097, { encrypted: true });
    await lab.createNetwork('plain', 4098);
  }
  containers = await Promise.all(
    labs.map(async (lab, index) => ({
      secret: await lab.container(`secret${index}`, { secret: `10.99.1.${11 + index}` }),
      plain: await lab.container(`plain${index}`, { plain: `10.99.2.${11 + index}` }),
    })),
  );
  cluster = stateOf();
  await apply(cluster);
});

after(async () => {
  for (const lab of labs) await lab.stop();
});

function both<T>(values: readonly T[]): readonly [T, T] {
  const [one, two] = values;
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

function stateOf(): ClusterNetworkState {
  const nodes = labs.map(({ dataPlane }, index) => {
    assert.ok(dataPlane.encryption.kind === 'ready');
    const { publicKey, port } = dataPlane.encryption;
    const dataPathAddress = ADDRESSES[index] ?? '';
    return { nodeId: `node${index}`, index: index + 1, dataPathAddress, encryption: { publicKey, endpoint: `${dataPathAddress}:${port}` } };
  });
  const networks = (['secret', 'plain'] as const).map((name, position) => ({
    networkId: `id-${name}`,
    name,
    vxlanId: 4097 + position,
    subnets: [],
    internal: false,
    attachable: true,
    encrypted: name === 'secret',
    endpoints: containers.map((of, index) => ({ taskId: of[name].endpoint.taskId, nodeId: `node${index}`, address: of[name].address, names: [of[name].name] })),
  }));
  return { version: 1, nodes, networks, services: [], ingress: [] };
}

async function apply(state: ClusterNetworkState): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  for (const [index, { dataPlane }] of labs.entries()) {
    const endpoints = containers.slice(index, index + 1).flatMap(({ secret, plain }) => [secret.endpoint, plain.endpoint]);
    await dataPlane.applyLocal({ version: state.version, endpoints }, signal);
    await dataPlane.applyCluster(state, signal);
  }
}

/** What can be read on the link between the nodes while the work is done. */
async function overheard({ engine }: Lab, work: () => Promise<void>): Promise<string> {
  const file = `${engine.folder}/link.pcap`;
  const listener = await engine.spawnInside(['tcpdump', '-i', 'peer', '-U', '-n', '-s', '0', '-w', file], { stdio: ['ignore', 'ignore', 'ignore'] });
  const isThere = () =>
    readFile(file).then(
      (bytes) => bytes.length >= 24,
      () => false,
    );
  await until('tcpdump listens', isThere);
  await work();
  const last = `const u = require('node:dgram').createSocket('udp4'); u.send('${LAST}', 9, '${ADDRESSES[1]}', () => u.close())`;
  await until('what was sent before has been heard', async () => {
    await engine.exec([process.execPath, '-e', last]);
    return (await readFile(file)).includes(LAST);
  });
  listener.signal('SIGTERM');
  const { stdout } = await engine.exec(['tcpdump', '-A', '-n', '-r', file]);
  return stdout;
}

const get = async (from: LabContainer, to: LabContainer) => from.sh(`timeout 4 wget -qO- http://${to.address}/${MARKER}`);
const isUp = async ({ engine }: Lab) => (await engine.exec(['ip', 'link', 'show', DEVICE])).code === 0;

test('tasks on an encrypted network reach each other, and nothing of it can be read between the nodes', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [one] = both(labs);
  const [from, to] = both(containers);
  assert.equal(await get(from.secret, to.secret), `secret1 ${from.secret.address}`);
  assert.equal(await get(to.secret, from.secret), `secret0 ${to.secret.address}`);
  const heard = await overheard(one, async () => assert.equal(await get(from.secret, to.secret), `secret1 ${from.secret.address}`));
  assert.doesNotMatch(heard, new RegExp(MARKER));
  assert.doesNotMatch(heard, /\.4789|VXLAN/);
  assert.match(heard, /\.5183[0-9]/);
});

test('a network that is not encrypted stays as it was: what crosses it can be read', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [one] = both(labs);
  const [from, to] = both(containers);
  const heard = await overheard(one, async () => assert.equal(await get(from.plain, to.plain), `plain1 ${from.plain.address}`));
  assert.match(heard, new RegExp(MARKER));
  assert.match((await one.engine.exec(['ip', '-n', 'skep-4098', '-o', 'link', 'show', 'vxlan0'])).stdout, /mtu 1450/);
  assert.match((await one.engine.exec(['ip', '-n', 'skep-4097', '-o', 'link', 'show', 'vxlan0'])).stdout, /mtu 1370/);
});

test('large answers cross an encrypted network', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [from, to] = both(containers);
  const [, two] = both(labs);
  const code = `require('node:http').createServer((q, s) => s.end(Buffer.alloc(2000000))).listen(81)`;
  const server = await two.engine.spawnInside(['nsenter', '-t', String(to.secret.pid), '-n', '--', process.execPath, '-e', code]);
  await until('all of it arrives', async () => (await from.secret.sh(`timeout 5 wget -qO- http://${to.secret.address}:81/ | wc -c`)) === '2000000');
  server.signal('SIGKILL');
});

test('the private key is in no argument of any process, and in a file of its owner only', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [one] = both(labs);
  const path = `${one.stateDirectory}/network/wireguard.key`;
  assert.match((await one.engine.exec(['stat', '-c', '%a', path])).stdout, /^600$/m);
  const key = Buffer.from((JSON.parse(await readFile(path, 'utf8')) as { readonly d: string }).d, 'base64url').toString('base64');
  assert.equal((await one.engine.exec(['wg', 'show', DEVICE, 'private-key'])).stdout.trim(), key);
  const all = await one.engine.exec(['sh', '-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']);
  assert.match(all.stdout, /dockerd/);
  assert.ok(!all.stdout.includes(key));
});

test('netd goes on with the device that it finds; one whose process was killed is made again, and nothing leaves in between', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [one] = both(labs);
  const [from, to] = both(containers);
  const indexOf = async () => /^[0-9]+(?=: skw0)/.exec((await one.engine.exec(['ip', '-o', 'link', 'show', DEVICE])).stdout)?.[0];
  const before = await indexOf();
  assert.ok(before);
  await one.engine.exec(['kill', '-9', String(await one.netdPid())]);
  await until('netd is back', () =>
    one.netdPid().then(
      () => true,
      () => false,
    ),
  );
  await apply({ ...cluster, version: 2 });
  assert.equal(await indexOf(), before);
  assert.equal(await get(from.secret, to.secret), `secret1 ${from.secret.address}`);
  const heard = await overheard(one, async () => {
    // Of a process, its end takes the device with it; the kernel's is deleted.
    await one.engine.exec(['ip', 'link', 'del', DEVICE]);
    await until('the network works again', async () => (await get(from.secret, to.secret)) === `secret1 ${from.secret.address}`);
  });
  assert.doesNotMatch(heard, new RegExp(MARKER));
  assert.ok(![undefined, before].includes(await indexOf()));
});

test('packets that claim to be of the encrypted network are not taken in the clear', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  const [one, two] = both(labs);
  // The same packet to the network that is not encrypted arrives, so it is a good one.
  const counted = async (vxlanId: number) => {
    const { stdout } = await two.engine.exec(['ip', '-n', `skep-${vxlanId}`, '-s', '-j', 'link', 'show', 'vxlan0']);
    return (JSON.parse(stdout) as readonly [{ readonly stats64: { readonly rx: { readonly packets: number } } }])[0].stats64.rx.packets;
  };
  const send = async (vxlanId: number) => {
    const id = vxlanId.toString(16).padStart(6, '0');
    const frame = `ffffffffffff02420a63010b0800${'00'.repeat(46)}`;
    const code = `const u = require('node:dgram').createSocket('udp4'); u.send(Buffer.from('08000000${id}00${frame}', 'hex'), 4789, '${ADDRESSES[1]}', () => u.close())`;
    await one.engine.exec([process.execPath, '-e', code]);
  };
  const [sealedBefore, plainBefore] = [await counted(4097), await counted(4098)];
  const { stdout: rules } = await one.engine.exec(['nft', 'list', 'table', 'ip', 'skep']);
  assert.match(rules, /chain sealed_out/);
  // The sender's own rules would keep it back: the other's are what is tried here.
  await one.engine.exec(['nft', 'flush', 'chain', 'ip', 'skep', 'sealed_out']);
  await send(4097);
  await until('the plain one has arrived', async () => {
    await send(4098);
    return (await counted(4098)) > plainBefore;
  });
  assert.equal(await counted(4097), sealedBefore);
});

test('removing the data plane leaves no device, process, socket or key', async (t) => {
  if (reason !== undefined) return t.skip(reason);
  for (const lab of labs) {
    assert.equal(await isUp(lab), true);
    if ((await lab.engine.exec(['ip', '-d', 'link', 'show', DEVICE])).stdout.includes(' tun ')) {
      assert.match((await lab.engine.exec(['sh', '-c', 'cat /proc/[0-9]*/comm'])).stdout, /^wireguard-go$/m);
    }
    await lab.dataPlane.destroy(AbortSignal.timeout(30_000));
    assert.equal(await isUp(lab), false);
    const rest = 'grep -l wireguard-go /proc/[0-9]*/comm; ls /run/wireguard/*';
    await until('neither wireguard-go nor its socket is there', async () => (await lab.engine.exec(['sh', '-c', rest])).stdout === '');
    assert.doesNotMatch((await lab.engine.exec(['nft', 'list', 'tables'])).stdout, /skep/);
    assert.notEqual((await lab.engine.exec(['test', '-e', `${lab.stateDirectory}/network`])).code, 0);
  }
});
