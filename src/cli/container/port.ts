// `port`: where the ports of a container are published. A task's are the swarm's: in host mode on its node, in ingress mode on every node.
import type { Client } from '#client/client.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { AppError } from '#lib/errors.ts';
import { byNaturalOrder } from '../format/list.ts';
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { findContainer } from './find.ts';

interface Inspected {
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null };
  readonly NetworkSettings?: { readonly Ports?: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>> };
}

interface Published {
  /** `80/tcp`. */
  readonly port: string;
  readonly address: string;
}

export const command: CommandSpec = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  arguments: { minimum: 1, maximum: 2 },
  flags: [nodeFlag],
  completes: 'container',
  async run({ args, context, client: clientOf }) {
    const [reference = '', wanted] = args;
    const client = await clientOf();
    const { Id } = await findContainer(client, reference);
    const container = await client.call<Inspected>('GET', `/containers/${segment(Id)}/json`);
    const own = ofEngine(container);
    const published = [
      ...own,
      ...(await ofSwarm(client, container)).filter(({ port, address }) => !own.some((one) => one.port === port && one.address === address)),
    ];
    if (wanted === undefined) {
      const lines = published.map(({ port, address }) => `${port} -> ${address}`).toSorted(byNaturalOrder);
      context.stdout.write(lines.map((line) => `${line}\n`).join(''));
      return undefined;
    }
    const port = portOf(wanted);
    const found = published.filter((one) => one.port === port);
    if (found.length === 0) throw new AppError('notFound', `Error: No public port '${wanted}' published for ${reference}`);
    context.stdout.write(found.map(({ address }) => `${address}\n`).join(''));
    return undefined;
  },
};

function portOf(text: string): string {
  const [number = '', protocol = 'tcp'] = text.split('/', 2);
  if (!/^\d+$/.test(number) || Number(number) > 65_535) throw new AppError('invalidArgument', `invalid port '${number}': invalid syntax`);
  return `${number}/${protocol.toLowerCase()}`;
}

function ofEngine({ NetworkSettings }: Inspected): readonly Published[] {
  return Object.entries(NetworkSettings?.Ports ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => ({ port, address: `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}` })),
  );
}

/** Nothing where the daemon is no manager: only managers know. */
async function ofSwarm(client: Client, { Config: { Labels } }: Inspected): Promise<readonly Published[]> {
  const serviceId = Labels?.['com.docker.swarm.service.id'];
  const taskId = Labels?.['com.docker.swarm.task.id'];
  if (serviceId === undefined || taskId === undefined) return [];
  try {
    const service = await client.call<Service>('GET', `/services/${segment(serviceId)}`);
    const task = await client.call<Task>('GET', `/tasks/${segment(taskId)}`);
    const ports = [...(service.Endpoint?.Ports ?? []).filter(({ PublishMode }) => PublishMode === 'ingress'), ...(task.Status.PortStatus?.Ports ?? [])];
    return ports.flatMap(({ Protocol, TargetPort, PublishedPort }) =>
      PublishedPort ? [{ port: `${TargetPort}/${Protocol ?? 'tcp'}`, address: `0.0.0.0:${PublishedPort}` }] : [],
    );
  } catch (error) {
    if (error instanceof AppError && ['notFound', 'unavailable'].includes(error.code)) return [];
    throw error;
  }
}
