import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { skipWithoutDocker } from '../api/docker-cli.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { commandsToCompare } from './commands.ts';
import { type BothPrograms, bothPrograms, comparable } from './run.ts';
import { createOptions, updateOptions } from './service-options.ts';

/** What every update starts from. */
const BASE = [
  ...['--label', 'a=b', '--env', 'X=1', '-p', '8089:80', '--mount', 'type=volume,source=v,target=/v', '--network', 'n1', '--secret', 's1', '--config', 'k1'],
  ...[
    '--constraint',
    'node.role==manager',
    '--placement-pref',
    'spread=node.labels.zone',
    '--dns',
    '1.2.3.4',
    '--dns-option',
    'ndots:2',
    '--host',
    'a:1.2.3.4',
  ],
  ...[
    '--cap-add',
    'NET_ADMIN',
    '--sysctl',
    'net.core.somaxconn=512',
    '--ulimit',
    'nofile=10:20',
    '--group',
    'g1',
    '--replicas',
    '0',
    'tiny:1',
    'sleep',
    '1000',
  ],
];

interface ComparedSpec {
  readonly TaskTemplate: { readonly ContainerSpec: { readonly Env?: string[] } };
  readonly EndpointSpec?: { Ports?: { readonly Protocol: string; readonly TargetPort: number }[] };
}

const NOW = ['-d', '--no-resolve-image', '--name', 'compared'];

describe('skep and docker against one swarm', { skip: skipWithoutDocker }, () => {
  let skepd: TestSkepd;
  let programs: BothPrograms;

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('tiny:1');
    await skepd.init();
    programs = bothPrograms(skepd.socket);
    await skepd.docker('network', 'create', '-d', 'overlay', 'n1');
    await skepd.docker('network', 'create', '-d', 'overlay', 'n2');
    for (const [kind, name] of [
      ['secrets', 's1'],
      ['configs', 'k1'],
    ] as const)
      await skepd.http('POST', `/${kind}/create`, { Name: name, Data: 'eA==' });
    await skepd.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'web',
      '--replicas',
      '2',
      '-p',
      '8080:80',
      '--label',
      'a=b',
      '--env',
      'X=1',
      'tiny:1',
      'sleep',
      '1000',
    );
    await skepd.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'glob',
      '--mode',
      'global',
      '--mount',
      'source=v1,target=/data',
      '--limit-memory',
      '64m',
      '--health-interval',
      '1s',
      '--health-cmd',
      'true',
      'tiny:1',
      'sleep',
      '1000',
    );
    await until('the services run', async () => {
      const shown = await skepd.docker('service', 'ls', '--format', '{{.Replicas}}');
      return shown === '1/1\n2/2';
    });
  });

  after(async () => {
    programs?.close();
    await skepd?.stop();
  });

  it('say the same of every command that both have', async () => {
    const differences: unknown[] = [];
    for (const args of commandsToCompare) {
      const theirs = comparable(await programs.docker(...args));
      const ours = comparable(await programs.skep(...args));
      if (JSON.stringify(theirs) !== JSON.stringify(ours)) differences.push({ args: args.join(' '), theirs, ours });
    }
    assert.deepEqual(differences, []);
  });

  const specOf = async () => {
    const { json } = await skepd.http('GET', '/services/compared');
    const { Spec } = (json ?? {}) as { Spec?: ComparedSpec };
    // docker writes variables, and the ports of a range, in the random order of a map.
    Spec?.TaskTemplate.ContainerSpec.Env?.sort();
    const { EndpointSpec } = Spec ?? {};
    const range = (EndpointSpec?.Ports ?? []).filter(({ Protocol }) => Protocol === 'udp').sort((a, b) => a.TargetPort - b.TargetPort);
    if (EndpointSpec?.Ports !== undefined) EndpointSpec.Ports = EndpointSpec.Ports.map((port) => (port.Protocol === 'udp' ? (range.shift() ?? port) : port));
    return Spec;
  };
  /** What comes of a command on a service that is made for it and removed after it. */
  const resultOf = async (program: 'docker' | 'skep', prepare: readonly string[], args: readonly string[]) => {
    if (prepare.length > 0) await skepd.docker(...prepare);
    const { code, stderr } = comparable(await programs[program](...args));
    const spec = await specOf();
    await skepd.tryDocker(['service', 'rm', 'compared']);
    return { code, stderr, spec };
  };

  it('make the same spec of the options of service create', async () => {
    const differences: unknown[] = [];
    for (const options of createOptions) {
      const args = ['service', 'create', ...NOW, ...options];
      const theirs = await resultOf('docker', [], args);
      const ours = await resultOf('skep', [], args);
      if (theirs.spec === undefined || JSON.stringify(theirs) !== JSON.stringify(ours)) differences.push({ args: args.join(' '), theirs, ours });
    }
    assert.deepEqual(differences, []);
  });

  it('make the same spec of the options of service update', async () => {
    const differences: unknown[] = [];
    for (const options of updateOptions) {
      const args = ['service', 'update', '-d', ...options, 'compared'];
      const base = ['service', 'create', ...NOW, ...BASE];
      const theirs = await resultOf('docker', base, args);
      const ours = await resultOf('skep', base, args);
      if (theirs.spec === undefined || JSON.stringify(theirs) !== JSON.stringify(ours)) differences.push({ args: args.join(' '), theirs, ours });
    }
    assert.deepEqual(differences, []);
  });
});
