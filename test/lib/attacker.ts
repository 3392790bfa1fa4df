// What somebody with a worker's certificate tries at a manager: `node attacker.ts <folder of certificates> <host:port> <another node's session> <a task of
// another node>`. Prints one line of JSON: what came of each.
import { createCertificateRequest } from '#ca/node-certificate.ts';
import { errorMessage } from '#lib/errors.ts';
import { readIdentity } from '../../src/main/identity.ts';
import { createManagerClient } from '../../src/transport/client.ts';

const [folder = '', address = '', foreignNode = '', foreignTask = ''] = process.argv.slice(2);
const client = createManagerClient(address, readIdentity(folder));
const { request } = await createCertificateRequest();
const status = { state: 'failed', timestamp: Date.now(), message: 'forged' } as const;

async function attempt(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return 'done';
  } catch (error) {
    return errorMessage(error);
  }
}

/** A session of this node's own, as far as its first message. */
async function ownSession(): Promise<string> {
  const description = {
    hostname: 'forged',
    dataPathAddress: '192.0.2.1',
    platform: { os: 'linux', architecture: 'x86_64' },
    resources: {},
    engine: { version: '1', labels: {}, plugins: [] },
  };
  for await (const message of client.openSession(description, new AbortController().signal)) if (message.kind === 'session') return message.sessionId;
  throw new Error('no session');
}

const relay = client.openRelay(foreignNode, 'engine');
const relayed = new Promise<string>((resolve) => {
  relay.on('error', (error) => resolve(errorMessage(error)));
  relay.on('data', () => resolve('done'));
});
const tunnel = client.openTunnel('no-such-tunnel');
const tunnelled = new Promise<string>((resolve) => {
  tunnel.on('error', (error) => resolve(errorMessage(error)));
  tunnel.on('data', () => resolve('done'));
});
const outcome = {
  joinManagers: await attempt(() => client.joinManagers({ request, advertiseAddr: '192.0.2.1:2377' })),
  confirmManager: await attempt(() => client.confirmManager()),
  relay: await relayed,
  tunnel: await tunnelled,
  heartbeat: await attempt(() => client.heartbeat('another-session')),
  foreignTask: await attempt(async () => client.reportStatus(await ownSession(), [{ taskId: foreignTask, status }])),
};
console.log(JSON.stringify(outcome));
process.exit(0);
