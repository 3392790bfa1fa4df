// A server on a unix socket in front of a fake engine, and clients for it. For tests only.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, type FakeClock } from '#lib/testing/fake-clock.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { request } from '#lib/node-http.ts';
import { createTestMembership, type TestMembership } from './fixtures.ts';
import type { ContainerNetworks } from './proxy/container-networks.ts';
import { type FakeEngine, type Script, startFakeEngine } from './proxy/fake-engine.ts';
import type { Route } from './route.ts';
import { createApiServer } from './server.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
}

export interface TestApi {
  readonly engine: FakeEngine;
  readonly membership: TestMembership;
  readonly clock: FakeClock;
  readonly path: string;
  ask(options: RequestOptions, body?: string | Buffer): Promise<Answer>;
  /** A raw client: what it sends is written, what it gets is collected as latin1. */
  connect(text: string): { readonly socket: Socket; readonly received: () => string };
  stop(): Promise<void>;
}

export interface TestApiOptions {
  readonly routes?: readonly Route[];
  readonly membership?: TestMembership;
  readonly containerNetworks?: ContainerNetworks;
}

export async function startTestApi(script: Script, options: TestApiOptions = {}): Promise<TestApi> {
  const { routes = [], membership = createTestMembership(), ...rest } = options;
  const engine = await startFakeEngine(script);
  const folder = await mkdtemp(join(tmpdir(), 'skep-api-'));
  const path = join(folder, 'skep.sock');
  const clock = createFakeClock();
  const link = createEngineConnection({ address: engine.address, clock });
  const server = createApiServer({ membership, engine: link, routes, log: silentLogger, clock, identity: { version: '1.2.3', gitCommit: 'abc' }, ...rest });
  await server.listen({ kind: 'unix', path });
  return {
    engine,
    membership,
    clock,
    path,
    ask: (requestOptions, body) => ask({ socketPath: path, ...requestOptions }, body),
    connect: (text) => rawClient(path, text),
    async stop() {
      const closed = server.close();
      // Time stands still here: the grace of connections that are still in use has to be let pass.
      await clock.advance(2_000);
      await closed;
      link.close();
      await engine.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Waits for a condition, not for a time; fails after some seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 2_000; round += 1) {
    if (condition()) return;
    await delay(2);
  }
  assert.fail(`waited in vain until ${what}`);
}

function ask(options: RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, rawHeaders: response.rawHeaders, body: bytes, json: parse(bytes.toString()) });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function rawClient(path: string, text: string): { readonly socket: Socket; readonly received: () => string } {
  const socket = connect({ path, allowHalfOpen: true });
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(text);
  return { socket, received: () => received };
}
