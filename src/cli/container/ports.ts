// Ports of a container as `ps` prints them: neighbours as ranges, published ones with their address.

export interface ContainerPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

interface Range {
  readonly ip: string;
  readonly type: string;
  readonly from: number;
  readonly to: number;
  readonly published: number;
}

/** `0.0.0.0:8080-8081->80-81/tcp, 443/tcp`. */
export function portsOfContainer(ports: readonly ContainerPort[] | null): string {
  const sorted = [...(ports ?? [])].sort(
    (a, b) => a.PrivatePort - b.PrivatePort || compare(a.IP ?? '', b.IP ?? '') || (a.PublicPort ?? 0) - (b.PublicPort ?? 0) || compare(a.Type, b.Type),
  );
  const ranges: Range[] = [];
  for (const { IP = '', PrivatePort, PublicPort = 0, Type } of sorted) {
    const index = ranges.findIndex(
      ({ ip, type, from, to, published }) =>
        ip === IP &&
        type === Type &&
        to + 1 === PrivatePort &&
        (PublicPort === 0 ? published === 0 : published !== 0 && published + (to - from) + 1 === PublicPort),
    );
    const known = ranges[index];
    if (known === undefined) ranges.push({ ip: IP, type: Type, from: PrivatePort, to: PrivatePort, published: PublicPort });
    else ranges[index] = { ...known, to: PrivatePort };
  }
  return ranges.map(rangeText).join(', ');
}

function rangeText({ ip, type, from, to, published }: Range): string {
  const text = (start: number) => (from === to ? String(start) : `${start}-${start + to - from}`);
  if (published === 0) return `${text(from)}/${type}`;
  const address = ip.includes(':') ? `[${ip}]` : ip;
  return `${address}${address === '' ? '' : ':'}${text(published)}->${text(from)}/${type}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
