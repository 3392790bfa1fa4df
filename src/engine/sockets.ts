// What a container's sockets tell without entering it: /proc/<pid>/net of its first process. Reading needs no privilege beyond seeing the process.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** States of /proc/net/tcp (include/net/tcp_states.h). */
const ESTABLISHED = '01';
const LISTEN = '0A';
/** A UDP socket that is bound and not connected. */
const UDP_OPEN = '07';

export interface SocketTable {
  /** Ports with a listening TCP socket, or a UDP socket that takes datagrams from anybody. */
  readonly listening: { readonly tcp: ReadonlySet<number>; readonly udp: ReadonlySet<number> };
  /** Local ports of established TCP connections with somebody outside the container; one entry per connection. */
  readonly established: readonly number[];
}

/** Undefined when the process is gone or cannot be looked at. `procRoot` is /proc, or another namespace's. */
export async function readSockets(procRoot: string, pid: number): Promise<SocketTable | undefined> {
  if (pid <= 0) return undefined;
  try {
    const read = (name: string) => readFile(join(procRoot, String(pid), 'net', name), 'utf8').catch(ignoreMissing);
    const [tcp, tcp6, udp, udp6] = await Promise.all([readFile(join(procRoot, String(pid), 'net', 'tcp'), 'utf8'), read('tcp6'), read('udp'), read('udp6')]);
    return tableOf(`${tcp}\n${tcp6}`, `${udp}\n${udp6}`);
  } catch {
    return undefined;
  }
}

/** A kernel without IPv6 has no tcp6. */
function ignoreMissing(): string {
  return '';
}

/** Exported for tests: the texts are those of /proc/net/tcp and udp. */
export function tableOf(tcpText: string, udpText: string): SocketTable {
  const tcp = rows(tcpText);
  return {
    listening: {
      tcp: new Set(tcp.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort)),
      udp: new Set(
        rows(udpText)
          .filter(({ state }) => state === UDP_OPEN)
          .map(({ localPort }) => localPort),
      ),
    },
    established: tcp.filter(({ state, remote }) => state === ESTABLISHED && !isLoopback(remote)).map(({ localPort }) => localPort),
  };
}

interface Row {
  readonly localPort: number;
  readonly remote: string;
  readonly state: string;
}

function rows(text: string): Row[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line);
    return match === null ? [] : [{ localPort: Number.parseInt(match[1] ?? '', 16), remote: match[2] ?? '', state: match[3] ?? '' }];
  });
}

/** Addresses are in the machine's byte order: 127.0.0.1 reads 0100007F on little-endian ones; ::ffff:127.0.0.1 ends the same way. */
function isLoopback(remote: string): boolean {
  return (
    (remote.length === 8 && remote.endsWith('7F')) ||
    (remote.startsWith('0000000000000000FFFF0000') && remote.endsWith('7F')) ||
    remote === '00000000000000000000000001000000'
  );
}
