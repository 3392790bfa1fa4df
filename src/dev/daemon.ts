// A node's skepd: started, found, asked and ended.
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Client, createClient } from '#client/client.ts';
import { createTransport } from '#client/transport.ts';
import { AppError } from '#lib/errors.ts';
import { lastLines } from './logs.ts';
import { inside, type Machine, startDaemon } from './machine.ts';
import type { NodePlace } from './names.ts';
import { ping } from './ping.ts';
import { isAlive, listProcesses, MISSES, signal } from './processes.ts';
import type { Wait } from './wait.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/skepd', import.meta.url));

/** The daemon's process as seen from outside. */
export function daemonProcess({ stateDirectory }: NodePlace): number | undefined {
  const isDaemon = (argv: readonly string[]) => argv.includes(stateDirectory) && argv.some((word) => word.endsWith('/skepd.ts'));
  return listProcesses().find(({ argv }) => isDaemon(argv))?.pid;
}

/** Resolves when it answers, whether it was there already or is started now. */
export async function ensureDaemon(node: NodePlace, machine: Machine, wait: Wait): Promise<void> {
  if (daemonProcess(node) === undefined) {
    // A file of its own, for the user to change; the machine's own settings are not the node's.
    if (!existsSync(node.skepdConfig))
      writeFileSync(node.skepdConfig, '# Options of this skepd, as in /etc/skep/skepd.yaml. Read when it starts.\n', { mode: 0o600 });
    const files = ['--host', `unix://${node.socket}`, '--engine', `unix://${node.engineSocket}`, '--state-dir', node.stateDirectory];
    await startDaemon(inside(machine), [PROGRAM, ...files, '--config-file', node.skepdConfig, '--hostname', node.name], node.skepdLog);
  }
  let misses = 0;
  await wait(`skepd of ${node.name} answers`, async () => {
    misses = daemonProcess(node) === undefined ? misses + 1 : 0;
    if (misses > MISSES) throw new AppError('unavailable', `skepd of ${node.name} ended at once; the end of ${node.skepdLog}:\n${lastLines(node.skepdLog)}`);
    return ping(node.socket);
  });
}

/** Ends it; containers, names and published ports go on. */
export async function endDaemon(node: NodePlace, name: NodeJS.Signals, wait: Wait): Promise<boolean> {
  const pid = daemonProcess(node);
  if (pid === undefined) return false;
  signal(pid, name);
  await wait(`skepd of ${node.name} has ended`, () => !isAlive(pid));
  return true;
}

/** Asks the node's skepd; the connection is closed afterwards. */
export async function ask<T>({ socket }: NodePlace, what: (client: Client) => Promise<T>): Promise<T> {
  const client = createClient({ transport: await createTransport(`unix://${socket}`), userAgent: 'skep-dev' });
  try {
    return await what(client);
  } finally {
    client.close();
  }
}
