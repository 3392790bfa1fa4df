// Where `npm start` keeps its daemon: inside the clone, so that several clones do not meet.
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const stateFolder = join(root, '.skep');

/** The kernel's limit on the path of a unix socket is 107 bytes. */
const MAX_SOCKET_PATH = 107;
const inClone = join(stateFolder, 'skep.sock');
const socket = inClone.length <= MAX_SOCKET_PATH ? inClone : `/run/skep-${createHash('sha256').update(root).digest('hex').slice(0, 12)}.sock`;

export const ownAddress = `unix://${socket}`;
