// A stand between skepd and its engine that does what broken engines and networks do, by chance and from a seed: connections that are cut, closed or held, answers that are cut in the
// middle, delayed, or replaced by garbage. It is calm at first.
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

export interface ChaosEngine {
  readonly socket: string;
  storm(): void;
  /** From now on nothing goes wrong, and what was held is let go. */
  calm(): void;
  /** What was done how often. */
  readonly done: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Bytes that no engine would send. */
const GARBAGE = [
  'HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\n[]',
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"a":',
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull',
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n[null,1,{},""]',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'HTTP/1.1 200 OK\r\nTrailer: X-Late\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\xff\xfe\0\0\xff\xff\xff\xff',
  'HTTP/1.1 204 No Content\r\n\r\nand yet some',
  'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\xff\r\n\r\n',
  '\xff\xfe invalid \xc3\x28 text\r\n\r\n',
];
const DELAY_MS = 300;

export async function startChaosEngine({
  upstream,
  socket,
  random,
}: {
  readonly upstream: string;
  readonly socket: string;
  /** In [0, 1). */
  readonly random: () => number;
}): Promise<ChaosEngine> {
  const sockets = new Set<Socket>();
  const held = new Set<Socket>();
  const done: Record<string, number> = {};
  let isCalm = true;
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  const keep = (one: Socket) => {
    sockets.add(one);
    one.on('error', () => one.destroy());
    one.once('close', () => sockets.delete(one));
    return one;
  };
  const faults: Readonly<Record<string, (client: Socket, engine: Socket) => void>> = {
    cut: (client, engine) => {
      engine.destroy();
      client.destroy();
    },
    close: (client, engine) => {
      engine.destroy();
      client.end();
    },
    hold: (client) => void held.add(client),
    garbage: (client, engine) => {
      engine.destroy();
      client.end(pick(GARBAGE), 'latin1');
    },
    half: (client, engine) => {
      let left = Math.floor(random() * 400);
      engine.on('data', (chunk: Buffer) => {
        client.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) client.destroy();
      });
    },
    late: (client, engine) => void setTimeout(() => join(client, engine), DELAY_MS),
  };
  function join(client: Socket, engine: Socket): void {
    engine.pipe(client);
    // Streams (events, logs) are cut somewhere in the middle, too.
    if (!isCalm && random() < 0.3) setTimeout(() => isCalm || client.destroy(), random() * 3_000);
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    keep(client);
    const engine = keep(connect({ path: upstream, allowHalfOpen: true }));
    client.once('close', () => engine.destroy());
    engine.once('close', () => held.has(client) || client.destroySoon());
    client.pipe(engine);
    const fault = !isCalm && random() < 0.35 ? pick(Object.keys(faults)) : undefined;
    if (fault === undefined) return join(client, engine);
    done[fault] = (done[fault] ?? 0) + 1;
    // Not before it has asked for something.
    client.once('data', () => faults[fault]?.(client, engine));
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(socket, () => resolve());
  });
  return {
    socket,
    done,
    storm() {
      isCalm = false;
    },
    calm() {
      isCalm = true;
      for (const client of held) client.destroy();
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const one of sockets) one.destroy();
      await closed;
      rmSync(socket, { force: true });
    },
  };
}
