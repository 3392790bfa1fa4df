// Managers speak with each other directly, etcd with etcd: a node that the others cannot reach there would be a member that never votes. Whether an address
// answers at all is found out before anything changes; that nothing listens there yet is no obstacle.
import { connect } from 'node:net';
import { rpcError } from '#lib/errors.ts';
import { splitHostPort } from './addresses.ts';
import { peerUrls } from './etcd-member.ts';

const TIMEOUT_MS = 3_000;

/** Throws AppError `failedPrecondition` when the machine at a manager's advertised address cannot be reached from here. `who` is whose address it is. */
export async function assertPeerReachable(advertiseAddr: string, who: 'this node' | 'the manager'): Promise<void> {
  if (who === 'the manager') {
    const text = await peerPortProblem(advertiseAddr);
    if (text !== undefined) throw rpcError('failedPrecondition', text);
    return;
  }
  const { host, port, problem } = await dialPeer(advertiseAddr);
  if (problem === undefined) return;
  const text = `the address that this node advertises, ${host}, cannot be reached from the manager that was asked (TCP port ${port}: ${problem}); managers must reach each other there: choose another --advertise-addr, or open the port`;
  throw rpcError('failedPrecondition', text);
}

/** Why this node cannot be a manager beside that one, in words for its user. */
export async function peerPortProblem(manager: string): Promise<string | undefined> {
  const { host, port, problem } = await dialPeer(manager);
  if (problem === undefined) return undefined;
  return `the manager at ${host} cannot be reached on TCP port ${port} from this node (${problem}); managers must reach each other there: open the port`;
}

async function dialPeer(advertiseAddr: string) {
  const { hostname, port } = new URL(peerUrls({ listenAddr: '', advertiseAddr }).peerUrl);
  const problem = await dialProblem(hostname.replace(/^\[|\]$/g, ''), Number(port));
  return { host: splitHostPort(advertiseAddr).host, port, problem };
}

function dialProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(TIMEOUT_MS, () => end('no answer'));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? undefined : error.message));
  });
}
