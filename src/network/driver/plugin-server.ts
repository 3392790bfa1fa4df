// The socket on which the engine finds the driver: Docker's plugin protocol, JSON by POST. What the calls do is in driver.ts.
import { chmod, mkdir, rm } from 'node:fs/promises';
import type http from 'node:http';
import { createServer } from '#lib/node-http.ts';
import { join } from 'node:path';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { listenOn, readBody } from '../netd/http.ts';
import type { Driver, DriverRequest } from './driver.ts';

const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.2+json';

export interface PluginServer {
  close(): Promise<void>;
}

export function pluginSocket(directory: string, name: string): string {
  return join(directory, `${name}.sock`);
}

/** `directory` is where the engine looks, /run/docker/plugins. */
export async function servePlugin({
  directory,
  name,
  driver,
  log,
}: {
  readonly directory: string;
  readonly name: string;
  readonly driver: Driver;
  readonly log: Logger;
}): Promise<PluginServer> {
  await mkdir(directory, { recursive: true });
  const path = pluginSocket(directory, name);
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    void answer(request, driver, log).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': CONTENT_TYPE });
      response.end(JSON.stringify(body));
    });
  });
  await listenOn(server, path);
  await chmod(path, 0o600);
  return {
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(path, { force: true });
    },
  };
}

async function answer(request: http.IncomingMessage, driver: Driver, log: Logger): Promise<{ readonly status: number; readonly body: object }> {
  const method = request.url?.slice(1) ?? '';
  const call = Object.hasOwn(driver, method) ? driver[method] : undefined;
  if (call === undefined) return { status: 404, body: { Err: `${method} is not implemented` } };
  try {
    const text = await readBody(request);
    const body = await call(text.trim() === '' ? {} : (JSON.parse(text) as DriverRequest));
    log.debug({ method }, 'driver call');
    return { status: 200, body };
  } catch (error) {
    log.warn({ method, error: errorMessage(error) }, 'driver call failed');
    return { status: 500, body: { Err: errorMessage(error) } };
  }
}
