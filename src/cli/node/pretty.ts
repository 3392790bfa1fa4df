// `node inspect --pretty`.
import type { Node } from '#docker-api/node.ts';
import { goTime } from '../format/duration.ts';
import { capitalized } from '../format/list.ts';
import { bytesSize } from '../format/size.ts';

export function prettyNode(node: Node): string {
  const { Spec, Description, Status, ManagerStatus } = node;
  const { Engine, Platform, Resources, TLSInfo } = Description;
  const lines = [`ID:\t\t\t${node.ID}`];
  if (Spec.Name) lines.push(`Name:\t\t\t${Spec.Name}`);
  lines.push(...labelLines('Labels', Spec.Labels));
  lines.push(
    `Hostname:              \t${Description.Hostname ?? ''}`,
    `Joined at:             \t${capitalized(goTime(node.CreatedAt).toLowerCase())}`,
    'Status:',
  );
  lines.push(` State:\t\t\t${capitalized(Status.State ?? '')}`);
  if (Status.Message) lines.push(` Message:              \t${capitalized(Status.Message)}`);
  lines.push(` Availability:         \t${capitalized(Spec.Availability ?? '')}`);
  if (Status.Addr) lines.push(` Address:\t\t${Status.Addr}`);
  if (ManagerStatus !== undefined) {
    lines.push('Manager Status:', ` Address:\t\t${ManagerStatus.Addr ?? ''}`, ` Raft Status:\t\t${capitalized(ManagerStatus.Reachability ?? '')}`);
    lines.push(` Leader:\t\t${ManagerStatus.Leader ? 'Yes' : 'No'}`);
  }
  lines.push('Platform:', ` Operating System:\t${Platform.OS ?? ''}`, ` Architecture:\t\t${Platform.Architecture ?? ''}`);
  const { NanoCPUs = 0, MemoryBytes = 0 } = Resources;
  lines.push('Resources:', ` CPUs:\t\t\t${Math.trunc(NanoCPUs / 1e9)}`, ` Memory:\t\t${MemoryBytes === 0 ? '' : bytesSize(MemoryBytes)}`);
  lines.push(...pluginLines(Engine.Plugins ?? []));
  lines.push(`Engine Version:\t\t${Engine.EngineVersion ?? ''}`, ...labelLines('Engine Labels', Engine.Labels));
  const { TrustRoot, CertIssuerSubject, CertIssuerPublicKey } = TLSInfo ?? {};
  if (TrustRoot || CertIssuerSubject || CertIssuerPublicKey) {
    lines.push(
      'TLS Info:',
      ' TrustRoot:',
      TrustRoot ?? '',
      ` Issuer Subject:\t${CertIssuerSubject ?? ''}`,
      ` Issuer Public Key:\t${CertIssuerPublicKey ?? ''}`,
    );
  }
  return lines.join('\n');
}

export function labelLines(title: string, labels: Readonly<Record<string, string>> | undefined | null, bullet = ' - '): readonly string[] {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [`${title}:`, ...entries.map(([key, value]) => `${bullet}${key}${value === '' ? '' : `=${value}`}`)];
}

function pluginLines(plugins: readonly { readonly Type: string; readonly Name: string }[]): readonly string[] {
  const types = [...new Set(plugins.map(({ Type }) => Type))].sort();
  const namesOf = (type: string) => plugins.filter(({ Type }) => Type === type).map(({ Name }) => Name);
  return types.length === 0 ? [] : ['Plugins:', ...types.map((type) => ` ${type}:\t\t${namesOf(type).join(', ')}`)];
}
