// `dev up`.
import { bringUp } from '#dev/cluster.ts';
import { addressOf, engineKinds, hostAddressOf, type EngineKind } from '#dev/description.ts';
import { nodePlaceOf } from '#dev/names.ts';
import { parseSubnet } from '#dev/plan.ts';
import { reachableManager, statusOf, switchOf } from '#dev/status.ts';
import { hasWayOut } from '#dev/way-out.ts';
import type { Ipv4Subnet } from '#lib/ip.ts';
import type { CommandSpec } from '../command.ts';
import { baseOf, nameFlag, nameOf } from './shared.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    { name: 'managers', type: 'uint', description: 'How many managers there are to be in all (default 1, or those that there are)' },
    { name: 'workers', type: 'uint', description: 'How many workers there are to be in all (default 2, or those that there are)' },
    nameFlag,
    {
      name: 'engine',
      type: 'string',
      description: 'Engine of the nodes that are added: docker or podman',
      default: '"docker"',
      choices: engineKinds,
      parse: parseEngine,
    },
    { name: 'subnet', type: 'string', description: "The nodes' subnet (default one that is free)", parse: parseSubnet },
  ],
  async run(invocation) {
    const { flags, context } = invocation;
    const base = baseOf(invocation);
    const wanted = {
      managers: flags.value<number>('managers'),
      workers: flags.value<number>('workers'),
      engine: flags.value<EngineKind>('engine') ?? 'docker',
      subnet: flags.value<Ipv4Subnet>('subnet'),
    };
    const say = (line: string) => void context.stderr.write(`${line}\n`);
    const name = nameOf(invocation);
    const known = await bringUp(name, wanted, { base, clock: context.clock, say });
    const nodes = await statusOf(known);
    const [first] = known.cluster.nodes;
    const manager = reachableManager(nodes)?.socket ?? nodePlaceOf(known.place, first?.name ?? '').socket;
    const count = (role: string) => known.cluster.nodes.filter((node) => node.role === role).length;
    const plural = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
    const option = name === 'dev' ? '' : ` --name ${name}`;
    const beyond = (await hasWayOut(switchOf(known))) ? 'what it reaches' : 'nothing beyond it (that takes slirp4netns)';
    context.stdout.write(`The cluster ${name} is up: ${plural(count('manager'), 'manager')} and ${plural(count('worker'), 'worker')}.

    export DOCKER_HOST=unix://${manager}
    docker node ls

Published ports answer on every node's address: http://${first === undefined ? '' : addressOf(known.cluster, first)}:PORT
The nodes reach this machine at ${hostAddressOf(known.cluster)}, and ${beyond}. Images of this machine: \`${context.programName} dev load${option} IMAGE\`.
\`${context.programName} dev --help\` has what can be done to it, \`${context.programName} dev down${option}\` removes it.
`);
    return undefined;
  },
};

function parseEngine(text: string): EngineKind {
  const kind = engineKinds.find((known) => known === text);
  if (kind === undefined) throw new Error(`it must be ${engineKinds.join(' or ')}`);
  return kind;
}
