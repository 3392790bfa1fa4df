// `service ls`, and the table of services that `stack services` prints too.
import type { PortConfig } from '#docker-api/service-spec.ts';
import type { Service } from '#docker-api/service.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { byNaturalOrder, type ListFormat, rawForm, renderList } from '../format/list.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { familiarImage } from '../task/table.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [filterFlag(), listFormatFlag, { name: 'quiet', short: 'q', description: 'Only display IDs' }, jsonFlag],
  async run(invocation) {
    const services = await listServices(invocation, filtersOf(invocation));
    printServices(invocation, services);
    return undefined;
  },
};

export async function listServices(invocation: Invocation, filters: Readonly<Record<string, readonly string[]>>): Promise<Service[]> {
  const client = await invocation.client();
  const services = await client.call<Service[]>('GET', '/services', { query: { ...filterQuery(filters), status: true } });
  return services.sort((a, b) => byNaturalOrder(a.Spec.Name ?? '', b.Spec.Name ?? ''));
}

export function printServices(invocation: Invocation, services: readonly Service[]): void {
  const { flags, context, config } = invocation;
  context.stdout.write(renderList(services, serviceFormat, { format: formatOf(invocation, config.values.servicesFormat), quiet: flags.bool('quiet') }));
}

const serviceFormat: ListFormat<Service> = {
  defaultFormat: 'table {{.ID}}\\t{{.Name}}\\t{{.Mode}}\\t{{.Replicas}}\\t{{.Image}}\\t{{.Ports}}',
  typeName: '*service.serviceContext',
  quietFormat: '{{.ID}}',
  raw: { full: rawForm({ id: 'ID', name: 'Name', mode: 'Mode', replicas: 'Replicas', image: 'Image', ports: 'Ports' }), quiet: 'id: {{.ID}}' },
  columns: {
    ID: { header: 'ID', value: ({ ID }) => ID.slice(0, 12) },
    Name: { header: 'NAME', value: ({ Spec }) => Spec.Name ?? '' },
    Mode: { header: 'MODE', value: modeOf },
    Replicas: { header: 'REPLICAS', value: replicasOf },
    Image: { header: 'IMAGE', value: ({ Spec }) => familiarImage(Spec.TaskTemplate?.ContainerSpec?.Image ?? '') },
    Ports: { header: 'PORTS', value: ({ Endpoint }) => portsText(Endpoint.Ports ?? []) },
  },
};

export function modeOf({ Spec: { Mode = {} } }: Pick<Service, 'Spec'>): string {
  if (Mode.Global) return 'global';
  if (Mode.ReplicatedJob) return 'replicated job';
  return Mode.GlobalJob ? 'global job' : 'replicated';
}

function replicasOf({ Spec, ServiceStatus }: Service): string {
  const { RunningTasks = 0, DesiredTasks = 0, CompletedTasks = 0 } = ServiceStatus ?? {};
  const running = `${RunningTasks}/${DesiredTasks}`;
  if (Spec.Mode?.ReplicatedJob) return `${running} (${CompletedTasks}/${Spec.Mode.ReplicatedJob.TotalCompletions ?? 1} completed)`;
  if (Spec.Mode?.GlobalJob) return `${running} (${CompletedTasks}/${DesiredTasks + CompletedTasks} completed)`;
  const most = Spec.TaskTemplate?.Placement?.MaxReplicas ?? 0;
  return most > 0 && Spec.Mode?.Replicated ? `${running} (max ${most} per node)` : running;
}

interface PortRange {
  readonly published: number;
  readonly target: number;
  readonly count: number;
  readonly protocol: string;
}

/** Ports of the routing mesh; neighbours are one range. */
export function portsText(ports: readonly PortConfig[]): string {
  const ingress = ports
    .filter(({ PublishMode }) => PublishMode === 'ingress')
    .sort((a, b) => (a.Protocol === b.Protocol ? (a.PublishedPort ?? 0) - (b.PublishedPort ?? 0) : (a.Protocol ?? '') < (b.Protocol ?? '') ? -1 : 1));
  const ranges: PortRange[] = [];
  for (const { PublishedPort: published = 0, TargetPort: target = 0, Protocol: protocol = '' } of ingress) {
    const last = ranges.at(-1);
    const isNext = last !== undefined && last.protocol === protocol && last.published + last.count === published && last.target + last.count === target;
    if (isNext) ranges[ranges.length - 1] = { ...last, count: last.count + 1 };
    else ranges.push({ published, target, count: 1, protocol });
  }
  const text = (first: number, count: number) => (count === 1 ? String(first) : `${first}-${first + count - 1}`);
  return ranges.map(({ published, target, count, protocol }) => `*:${text(published, count)}->${text(target, count)}/${protocol}`).join(', ');
}
