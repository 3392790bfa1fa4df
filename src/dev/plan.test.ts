import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpv4Subnet, type Ipv4Subnet, parseIpv4Cidr } from '#lib/ip.ts';
import { addressOf, type DevNode, gatewayOf, hostAddressOf, parseDescription, printDescription } from './description.ts';
import { linkText, parseLoss, parseRate, shapingArguments } from './link.ts';
import { cgroupPrefix, nodePlaceOf, placeOf } from './names.ts';
import { checkRoom, chooseSubnet, parseSubnet, planNodes, takenSubnets, type WantedNodes } from './plan.ts';
import { checkPrograms, checkRoot } from './requirements.ts';

const subnet = (text: string): Ipv4Subnet => parseIpv4Cidr(text)?.subnet as Ipv4Subnet;
const want = (managers?: number, workers?: number): WantedNodes => ({ managers, workers, engine: 'docker' });
const named = (nodes: readonly DevNode[]) => nodes.map(({ name, index }) => `${name}@${index}`).join(' ');

describe('the nodes of a development cluster', () => {
  it('are one manager and two workers unless said otherwise', () => {
    assert.equal(named(planNodes([], want())), 'manager1@1 worker1@2 worker2@3');
    assert.equal(named(planNodes([], want(3, 0))), 'manager1@1 manager2@2 manager3@3');
  });

  it('are added to those that there are, whose names, addresses and engines stay', () => {
    const before = planNodes([], want(1, 1));
    assert.deepEqual(planNodes(before, want()), before);
    const grown = planNodes(before, { ...want(2), engine: 'podman' });
    assert.equal(named(grown), 'manager1@1 worker1@2 manager2@3');
    assert.deepEqual(
      grown.map(({ engine }) => engine),
      ['docker', 'docker', 'podman'],
    );
  });

  it('are never fewer, none at all, or too many', () => {
    assert.throws(() => planNodes([], want(0)), /at least one manager/);
    assert.throws(() => planNodes(planNodes([], want(1, 3)), want(1, 2)), /there are 3 workers already.*only adds nodes/);
    assert.throws(() => planNodes(planNodes([], want(1, 1)), want(0)), /there is 1 manager already/);
    assert.throws(() => planNodes([], want(3, 100)), /at most 50 nodes/);
  });

  it('are read as they were written, and nothing else is', () => {
    const cluster = { subnet: subnet('10.218.3.0/24'), nodes: planNodes([], want(1, 1)) };
    assert.deepEqual(parseDescription(printDescription(cluster), 'f'), cluster);
    const damaged = ['', 'null', '[]', '{"subnet":"10.0.0.0/24"}', '{"subnet":"x","nodes":[]}', '{"subnet":"10.0.0.0/24","nodes":[{"name":"../x"}]}'];
    for (const text of damaged) assert.throws(() => parseDescription(text, 'cluster.json'), /cluster\.json is damaged; `skep dev down`/);
  });
});

describe('the subnet of a development cluster', () => {
  it('is the first that nothing on the machine touches', () => {
    const taken = takenSubnets(
      [{ addr_info: [{ local: '10.218.0.5', prefixlen: 28 }] }, { addr_info: [] }],
      [{ dst: 'default' }, { dst: '10.218.1.0/24' }, { dst: '10.218.2.9' }, { dst: 'unreachable' }],
    );
    assert.deepEqual(taken.map(formatIpv4Subnet), ['10.218.0.0/28', '10.218.1.0/24', '10.218.2.9/32']);
    assert.equal(formatIpv4Subnet(chooseSubnet(taken) as Ipv4Subnet), '10.218.3.0/24');
  });

  it('is elsewhere where all of 10.0.0.0/8 is routed, and nowhere when everything is', () => {
    assert.equal(formatIpv4Subnet(chooseSubnet([subnet('10.0.0.0/8')]) as Ipv4Subnet), '198.18.0.0/24');
    assert.equal(chooseSubnet([subnet('0.0.0.0/1'), subnet('128.0.0.0/1')]), undefined);
  });

  it('has the nodes at its beginning and the machine at its end', () => {
    const nodes = planNodes([], want(1, 11));
    const cluster = { subnet: subnet('10.1.2.0/28'), nodes };
    assert.equal(addressOf(cluster, nodes.at(-1) as DevNode), '10.1.2.12');
    assert.equal(gatewayOf(cluster), '10.1.2.13');
    assert.equal(hostAddressOf(cluster), '10.1.2.14');
    checkRoom(cluster.subnet, nodes);
    assert.throws(() => checkRoom(cluster.subnet, planNodes(nodes, want(2))), /10\.1\.2\.0\/28 is too small for 13 nodes/);
  });

  it('can be given, if it is one', () => {
    assert.deepEqual(parseSubnet('192.168.7.0/24'), subnet('192.168.7.0/24'));
    for (const [text, words] of [
      ['10.1.2.3', /must be an IPv4 subnet/],
      ['fd00::/64', /must be an IPv4 subnet/],
      ['10.1.2.3/24', /did you mean 10\.1\.2\.0\/24/],
      ['10.0.0.0/8', /from 16 to 28/],
    ] as const)
      assert.throws(() => parseSubnet(text), words);
  });
});

describe('names of a development cluster', () => {
  it('are refused where a link, a folder or a socket could not be called so', () => {
    for (const name of ['', 'A', '-a', 'a-', 'a.b', 'a/b', '..', 'elevenchars', 'ä']) assert.throws(() => placeOf('/x', name), /invalid cluster name/, name);
    for (const name of ['a', 'dev', 'my-dev-2', '0123456789']) assert.ok(placeOf('/x', name).hostLink.length <= 15);
    assert.throws(() => placeOf(`/${'x'.repeat(80)}`, 'dev'), /too long a path.*SKEP_DEV_DIR/);
  });

  it('do not lead one cluster to the cgroups of another', () => {
    const other = nodePlaceOf(placeOf('/x', 'a-b'), 'manager1').cgroup;
    assert.equal(other.startsWith(cgroupPrefix(placeOf('/x', 'a'))), false);
    assert.equal(other.startsWith(cgroupPrefix(placeOf('/x', 'a-b'))), true);
  });
});

describe('links', () => {
  it('are slowed by a rate without netem, and by the rest with it', () => {
    assert.deepEqual(shapingArguments({ bitsPerSecond: parseRate('10Mbit') }), ['tbf', 'rate', '10000000bit', 'burst', '12500b', 'latency', '400ms']);
    assert.equal(shapingArguments({ bitsPerSecond: parseRate('64kbit') })[4], '3200b');
    assert.deepEqual(shapingArguments({ bitsPerSecond: 1e6, delayMs: 50, lossPercent: 2.5 }), ['netem', 'delay', '50ms', 'loss', '2.5%', 'rate', '1000000bit']);
  });

  it('take rates and losses that are some', () => {
    for (const text of ['', '10', 'mbit', '-1mbit', '1kbps', '7kbit']) assert.throws(() => parseRate(text), /it must be/, text);
    assert.equal(parseLoss('2.5%'), 2.5);
    for (const text of ['', '0', '101', '-1', 'x']) assert.throws(() => parseLoss(text), /percentage/, text);
  });

  it('are called what they are', () => {
    assert.equal(linkText({ from: true, to: true, slow: 'rate 1Mbit' }), 'cut');
    assert.equal(linkText({ from: true, to: false, slow: undefined }), 'cut (out)');
    assert.equal(linkText({ from: false, to: true, slow: undefined }), 'cut (in)');
    assert.equal(linkText({ from: false, to: false, slow: 'rate 1Mbit' }), 'slow (rate 1Mbit)');
    assert.equal(linkText({ from: false, to: false, slow: undefined }), 'up');
  });
});

describe('what a development cluster needs', () => {
  it('is asked for by the names of Debian packages', () => {
    const without =
      (...missing: string[]) =>
      (program: string) =>
        !missing.includes(program);
    const three = planNodes([], want(3, 0));
    assert.throws(
      () => checkPrograms(three, without('dockerd', 'etcd', 'ip', 'tc')),
      /lacks ip, tc, dockerd, etcd\. On Debian: apt-get install iproute2 docker\.io etcd-server$/,
    );
    checkPrograms(planNodes([], want()), without('etcd', 'podman'));
    assert.throws(
      () => checkPrograms(planNodes([], { ...want(), engine: 'podman' }), without('podman', 'dockerd')),
      /lacks podman\. On Debian: apt-get install podman$/,
    );
  });

  it('is root', () => {
    checkRoot(0);
    assert.throws(() => checkRoot(1000), /needs root: run it with sudo/);
    assert.throws(() => checkRoot(undefined), /needs root/);
  });
});
