// A program that stands beside a container or on another machine and asks the same few places again and again, each time over a connection of its own. Its
// first argument says where, as JSON; each line that it prints is one request: when it began and ended, and what was answered.
import { Resolver } from 'node:dns/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Place {
  readonly name: string;
  /** An address, or a name that is looked up with `nameserver` before each request; of several addresses one after the other is taken. */
  readonly host: string;
  readonly port: number;
  readonly nameserver?: string;
}

export interface Request {
  readonly place: string;
  readonly begun: number;
  readonly ended: number;
  /** Undefined when it failed. */
  readonly answer?: string;
  readonly error?: string;
  /** The connection stood before the machines were disturbed; only then its request was sent. */
  readonly held?: true;
}

interface Orders {
  readonly places: readonly Place[];
  /** Connections to each place that are opened at once and used when a line comes from standard input. */
  readonly held: number;
}

const PAUSE_MS = 100;
/** Longer than anything that is allowed: what hangs is seen as such. */
const HANGS_MS = 25_000;

async function addressOf({ host, nameserver }: Place, count: number): Promise<string> {
  if (nameserver === undefined) return host;
  const resolver = new Resolver({ timeout: 1_000, tries: 3 });
  resolver.setServers([nameserver]);
  const addresses = await resolver.resolve4(host);
  return addresses.sort()[count % addresses.length] ?? '';
}

function answerOf(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, agent: false, timeout: HANGS_MS }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text.trim()));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('it hangs')));
    request.on('error', reject);
  });
}

function say(request: Request): void {
  console.log(JSON.stringify(request));
}

async function noted(place: string, ask: () => Promise<string>, held?: true): Promise<void> {
  const begun = Date.now();
  const common = { place, begun, ...(held === undefined ? {} : { held }) };
  await ask().then(
    (answer) => say({ ...common, ended: Date.now(), answer }),
    (error: unknown) => say({ ...common, ended: Date.now(), error: String(error) }),
  );
}

async function askForever(place: Place): Promise<never> {
  for (let count = 0; ; count++) {
    await noted(place.name, async () => answerOf(await addressOf(place, count), place.port));
    await delay(PAUSE_MS);
  }
}

/** A connection that says nothing until it is told to. */
async function hold(place: Place, told: Promise<unknown>): Promise<void> {
  const socket = connect({ host: await addressOf(place, 0), port: place.port });
  let early: Error | undefined;
  socket.on('error', (error) => (early = error));
  await told;
  await noted(
    place.name,
    () =>
      new Promise((resolve, reject) => {
        if (early !== undefined) return reject(early);
        let text = '';
        const late = setTimeout(() => reject(new Error('it hangs')), HANGS_MS);
        const end = (how: () => void) => {
          clearTimeout(late);
          how();
        };
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        socket.on('error', (error) => end(() => reject(error)));
        socket.on('end', () => end(() => resolve(text.split('\r\n\r\n')[1]?.trim() ?? '')));
        socket.write('GET / HTTP/1.0\r\n\r\n');
      }),
    true,
  );
}

const { places, held }: Orders = JSON.parse(process.argv[2] ?? '{}');
const told = new Promise((resolve) => process.stdin.once('data', resolve));
for (const place of places) for (let count = 0; count < held; count++) void hold(place, told);
await Promise.all(places.map(askForever));
