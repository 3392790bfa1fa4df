// A node that asks a manager for a tunnel to another node's engine, as only managers may: `relay-caller.ts STATE_DIRECTORY MANAGER NODE_ID`. Prints what it gets.
import { createManagerClient } from '#transport/client.ts';
import { createStateDirectory } from '../../src/main/state-directory.ts';
import { readIdentity } from '../../src/main/identity.ts';

const [stateDirectory = '', manager = '', nodeId = ''] = process.argv.slice(2);
const client = createManagerClient(manager, readIdentity(createStateDirectory(stateDirectory).certificateFolder));
const call = client.openRelay(nodeId, 'engine');
call.on('data', (frame: Buffer) => end(`data ${frame.toString('latin1')}`));
call.on('error', (error) => end(`error ${error.message}`));
// A frame of data: a byte that says so, and a request.
call.write(Buffer.from('\0GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n'));

function end(text: string): void {
  console.log(text);
  process.exit(0);
}
