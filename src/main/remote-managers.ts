// The managers that a worker knows, and its connection to one of them. The list follows what managers say and survives restarts; a manager that does not
// answer gives way to the next.
import { join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { NodeDescription } from '#domain/objects.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import { createManagerClient, type ManagerClient } from '#transport/client.ts';
import type { Caller, TlsMaterial } from '#transport/server.ts';
import { firstConnected } from './first-connected.ts';
import { leaderNamedIn } from './not-leading.ts';

export interface KnownManager {
  readonly nodeId: string;
  /** host:port */
  readonly address: string;
}

export interface RemoteManagers {
  list(): readonly KnownManager[];
  /** A connection to the next manager to try. Throws AppError `unavailable` when none is known. */
  connect(): ManagerConnection;
  /** Takes over a list that is known from elsewhere; the first is tried first. */
  learn(managers: readonly KnownManager[]): void;
  /** The client of the session that is open, for calls beside it. */
  current(): ManagerClient | undefined;
  close(): void;
}

const FILE = 'managers.json';
/** Managers that say who leads are believed this often in a row; leaders change, and two may for a moment name each other. */
const MAX_HINTS = 2;

export type AskedTunnel = Extract<SessionMessage, { kind: 'tunnel' }>;

export interface RemoteManagersOptions {
  readonly directory: string;
  readonly tls: () => TlsMaterial;
  /** What this daemon says of itself. */
  readonly self: Caller;
  /** A manager asks for a tunnel to this node. */
  readonly onTunnel: (tunnel: AskedTunnel, client: ManagerClient) => void;
  /** A session is open, until the signal aborts. */
  readonly onSession: (client: ManagerClient, signal: AbortSignal) => void;
  readonly log: Logger;
}

export function createRemoteManagers({ directory, tls, self, onTunnel, onSession, log }: RemoteManagersOptions): RemoteManagers {
  const file = join(directory, FILE);
  let known = readManagers(file);
  let next = 0;
  let client: ManagerClient | undefined;

  function learn(managers: readonly KnownManager[]): void {
    if (managers.length === 0 || JSON.stringify(managers) === JSON.stringify(known)) return;
    known = managers;
    try {
      writeFileAtomically(file, JSON.stringify(known));
    } catch (error) {
      // A full disk: they are known all the same, until the next start.
      log.warn({ file, error: errorMessage(error) }, "where the swarm's managers are could not be written");
    }
  }

  return {
    list: () => known,
    learn,
    current: () => client,
    connect() {
      client?.close();
      if (known.length === 0) throw new AppError('unavailable', 'no manager of the swarm is known');
      const inTurn = known.map((_manager, index) => known[(next + index) % known.length]?.address ?? '');
      next++;
      let current: ManagerClient | undefined;
      const connected = () => {
        if (current === undefined) throw new AppError('unavailable', 'no manager has answered yet');
        return current;
      };

      async function* openOnce(addresses: readonly string[], description: NodeDescription, signal: AbortSignal): AsyncGenerator<SessionMessage> {
        const opened = await firstConnected(addresses, (address) => createManagerClient(address, tls(), self), signal);
        current = opened;
        client = opened;
        for await (const message of opened.openSession(description, signal)) {
          if (message.kind === 'session') {
            learn(message.managers);
            onSession(opened, signal);
            // It answered: it is the first to be tried again.
            next = Math.max(
              0,
              known.findIndex(({ address }) => address === opened.address),
            );
          }
          if (message.kind === 'managers') learn(message.managers);
          else if (message.kind === 'tunnel') onTunnel(message, opened);
          else yield message;
        }
      }

      return {
        async *openSession(description, signal) {
          let addresses: readonly string[] = inTurn;
          for (let hints = 0; ; hints++) {
            try {
              return yield* openOnce(addresses, description, signal);
            } catch (error) {
              const leader = leaderNamedIn(error);
              if (leader === undefined || hints === MAX_HINTS) throw error;
              current?.close();
              addresses = [leader, ...inTurn.filter((address) => address !== leader)];
            }
          }
        },
        reportStatus: async (sessionId, updates) => connected().reportStatus(sessionId, updates),
        reportDescription: async (sessionId, description) => connected().reportDescription(sessionId, description),
        reportNetworkApplied: async (sessionId, version) => connected().reportNetworkApplied(sessionId, version),
        heartbeat: async (sessionId) => connected().heartbeat(sessionId),
      };
    },
    close: () => client?.close(),
  };
}

/** Written once when the node joins, before it knows more. */
export function writeManagers(directory: string, managers: readonly KnownManager[]): void {
  writeFileAtomically(join(directory, FILE), JSON.stringify(managers));
}

/** What this node was told last. */
export function knownManagersOf(directory: string): readonly KnownManager[] {
  return readManagers(join(directory, FILE));
}

function readManagers(file: string): readonly KnownManager[] {
  const text = readFileIfPresent(file);
  try {
    return text === undefined ? [] : (JSON.parse(text) as readonly KnownManager[]);
  } catch (cause) {
    throw new AppError('internal', `${file} cannot be read (${errorMessage(cause)}): leave the swarm (docker swarm leave --force), and join it again`, {
      cause,
    });
  }
}
