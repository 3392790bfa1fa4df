// The few calls of the Docker Engine API that the scripts need, over a unix socket or TCP.
import { type RequestOptions, request } from 'node:http';
import type { Readable } from 'node:stream';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Where an address like unix:///run/docker.sock or tcp://127.0.0.1:2375 points, for node:http. Undefined when it is neither. */
export function endpointOf(address: string): RequestOptions | undefined {
  const unix = /^unix:\/\/(\/.+)$/.exec(address);
  if (unix?.[1] !== undefined) return { socketPath: unix[1] };
  const tcp = /^tcp:\/\/(.+):(\d+)$/.exec(address);
  return tcp?.[1] === undefined ? undefined : { host: tcp[1], port: Number(tcp[2]) };
}

/** Rejects when nobody answers in time; any HTTP status is an answer. A body is sent as JSON, or as it is when it is a stream (a tar). */
export function call(address: string, method: string, path: string, body?: object | Readable, timeoutMs = 120_000): Promise<Answer> {
  const endpoint = endpointOf(address);
  if (endpoint === undefined) return Promise.reject(new Error(`${address} is neither unix:///path nor tcp://host:port`));
  const isStream = body !== undefined && 'pipe' in body;
  const headers = body === undefined ? {} : { 'content-type': isStream ? 'application/x-tar' : 'application/json' };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...endpoint, method, path, headers, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    outgoing.on('error', reject);
    if (isStream) (body as Readable).pipe(outgoing);
    else outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The JSON of a 2xx answer; throws with the engine's own words otherwise. */
export async function callJson<T>(address: string, method: string, path: string, body?: object): Promise<T> {
  const { status, text } = await call(address, method, path, body);
  if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${messageOf(text)}`);
  return JSON.parse(text || 'null') as T;
}

export async function answersPing(address: string): Promise<boolean> {
  return call(address, 'GET', '/_ping', undefined, 3_000).then(
    ({ status }) => status === 200,
    () => false,
  );
}

export function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}
