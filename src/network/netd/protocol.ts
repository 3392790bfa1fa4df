// What skepd and skep-netd say to each other: HTTP with JSON bodies over `netd.sock` in the state directory.
//   GET  /status   → NetdStatus
//   GET  /alive    → a response that never ends: a line of JSON (NetdNews) at first and after each change; its end tells that netd has ended
//   PUT  /cluster  ClusterNetworkState → {} once the kernel follows it
//   PUT  /local    LocalNetworkState   → {} once the kernel follows it
//   POST /attach   SandboxSpec         → SandboxPlace
//   POST /detach   { taskId }          → {}
//   POST /stop     ends the process and leaves the network as it is
//   POST /destroy  removes everything from the node, then ends the process
// An error is { message } with status 400 or 500.
import { createHash } from 'node:crypto';
import type { EncryptionAbility } from '../data-plane.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NetdSettings {
  /** Where the engine looks for drivers. */
  readonly pluginDirectory: string;
  readonly dataPathPort: number;
  /** UDP port of this node's end of the WireGuard mesh; one that follows from the names when absent. */
  readonly encryptionPort?: number;
  /** The engine knows no network drivers and has no gateway bridge: namespaces are made for its containers. */
  readonly ownGateway?: true;
}

export interface NetdStatus {
  readonly version: string;
  readonly pid: number;
  readonly settings: NetdSettings;
  readonly driverName: string;
  readonly dnsAddress: string;
  readonly encryption: EncryptionAbility;
  readonly clusterVersion: number;
  readonly localVersion: number;
}

export interface NetdNews {
  /** Published ports (`tcp/8080`; `tcp6/8080` over IPv6 only) that another program on this node has: they are not served here. */
  readonly portsInUse: readonly string[];
}

export const SOCKET_FILE = 'netd.sock';
export const LOG_FILE = 'netd.log';
/** The folder below the state directory that is netd's own. */
export const NETD_FOLDER = 'network';
export const PID_FILE = 'netd.pid';

/** Identifies the code of the data plane, so that a netd of other code is replaced: the digest of its sources. */
export function netdVersion(): string {
  const root = join(import.meta.dirname, '..');
  const digest = createHash('sha256');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[jt]s$/.test(name) && !/\.test\.[jt]s$/.test(name));
  for (const file of files.sort()) digest.update(file).update(readFileSync(join(root, file)));
  return digest.digest('hex').slice(0, 16);
}
