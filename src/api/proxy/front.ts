// The first look at a new connection. Old clients take a connection over (attach, exec) without asking for an upgrade, and Node's HTTP
// parser would read what they send next as another request. Their head gets the missing headers, so that the parser lets go of the socket.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import { splitVersion } from '../version.ts';
import { IMPLIED_UPGRADE_HEADER, isHijackPath } from './hijack.ts';

/** Heads of takeover requests are short; a longer one is left to the parser. */
const MAX_PEEK_BYTES = 16 * 1024;

/** Hands a fresh socket to the HTTP server once its first bytes are known; drops one of which they are not within `timeoutMs`. */
export function enterFront(socket: Socket, http: Server, { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number }): void {
  let seen: Buffer = Buffer.alloc(0);
  const drop = () => socket.destroy();
  const cancel = clock.schedule(timeoutMs, drop);
  socket.once('close', cancel);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const head = firstHead(seen);
    if (head === 'incomplete') return;
    cancel();
    socket.off('close', cancel);
    socket.off('data', onData);
    socket.off('error', drop);
    socket.off('end', drop);
    socket.pause();
    socket.unshift(head === 'implied' ? withUpgrade(seen) : seen);
    http.emit('connection', socket);
    socket.resume();
  };
  socket.on('data', onData);
  socket.on('error', drop);
  socket.on('end', drop);
}

/** Whether the bytes begin with the head of a takeover that does not ask for one, and if that can be told yet. */
export function firstHead(bytes: Buffer): 'implied' | 'ordinary' | 'incomplete' {
  const lineEnd = bytes.indexOf('\r\n');
  if (lineEnd < 0) return bytes.length < MAX_PEEK_BYTES && 'POST '.startsWith(bytes.toString('latin1', 0, 5)) ? 'incomplete' : 'ordinary';
  const [method, path = ''] = bytes.toString('latin1', 0, lineEnd).split(' ');
  if (method !== 'POST' || !isHijackPath(splitVersion(path).path)) return 'ordinary';
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length < MAX_PEEK_BYTES ? 'incomplete' : 'ordinary';
  return /^(?:upgrade|transfer-encoding|expect):/im.test(bytes.toString('latin1', lineEnd + 2, end)) ? 'ordinary' : 'implied';
}

function withUpgrade(bytes: Buffer): Buffer {
  const end = bytes.indexOf('\r\n\r\n');
  const added = `\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${IMPLIED_UPGRADE_HEADER}: 1`;
  return Buffer.concat([bytes.subarray(0, end), Buffer.from(added), bytes.subarray(end)]);
}
