// The nodes' way to the world beyond this machine: slirp4netns at the switch, which turns what arrives into connections of an ordinary process. The machine's
// own firewall, routes and forwarding stay as they are. Without the program there is no way out, and everything else works.
import { AppError } from '#lib/errors.ts';
import { lastLines } from './logs.ts';
import { insideNetwork, insideProcesses, type Machine, startDaemon } from './machine.ts';
import { listProcesses, MISSES } from './processes.ts';
import { isInstalled } from './requirements.ts';
import { run } from './run.ts';
import type { Wait } from './wait.ts';

const PROGRAM = 'slirp4netns';
/** Of the networks for benchmarks (RFC 2544): nodes see nothing of it but the resolver. */
const SUBNET = '198.19.255.0/24';
/** slirp4netns gives the subnet's third address to a resolver, which asks the machine's own. */
export const RESOLVER = '198.19.255.3';
/** The switch's end of it. */
export const OUT_LINK = 'out0';

/** The link is there exactly as long as the process is, and gets its route last. */
export async function hasWayOut(hub: Machine): Promise<boolean> {
  return (await run([...insideNetwork(hub), 'ip', '-o', 'route', 'show', 'default', 'dev', OUT_LINK])).stdout !== '';
}

/** Makes the way out if it is missing and can be made. It ends with the switch. */
export async function ensureWayOut(hub: Machine, logFile: string, wait: Wait): Promise<void> {
  if (!isInstalled(PROGRAM) || (await hasWayOut(hub))) return;
  // Nodes have business with this machine's address, not with what it keeps on its loopback.
  const options = ['--configure', '--mtu=1500', '--disable-host-loopback', `--cidr=${SUBNET}`, '--netns-type=path'];
  const network = `/proc/${hub.pid}/ns/net`;
  const isRunning = () => listProcesses().some(({ argv }) => argv[0] === PROGRAM && argv.includes(network));
  if (!isRunning()) await startDaemon(insideProcesses(hub), [PROGRAM, ...options, network, OUT_LINK], logFile);
  let misses = 0;
  await wait('the nodes have a way out', async () => {
    if (await hasWayOut(hub)) return true;
    misses = isRunning() ? 0 : misses + 1;
    if (misses > MISSES) throw new AppError('unavailable', `${PROGRAM} ended at once; the end of ${logFile}:\n${lastLines(logFile)}`);
    return false;
  });
}
