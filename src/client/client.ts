// A client of our own API: one HTTP peer on a unix socket or TCP.
import { request } from 'node:http';
import { AppError } from '#lib/errors.ts';

export interface Client {
  readonly address: string;
  /** The JSON answer. Rejects with AppError: `unavailable` when nobody answers, else the daemon's own message. */
  get<T>(path: string): Promise<T>;
}

export function createClient(address: string): Client {
  const endpoint = endpointOf(address);
  return {
    address,
    get: (path) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ ...endpoint, path, method: 'GET' }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const { statusCode = 0 } = response;
            if (statusCode >= 200 && statusCode < 300) resolve(JSON.parse(text) as never);
            else reject(new AppError('unknown', `Error response from daemon: ${messageOf(text)}`));
          });
        });
        outgoing.on('error', (cause) => reject(new AppError('unavailable', `Cannot connect to the Skep daemon at ${address}. Is skepd running?`, { cause })));
        outgoing.end();
      }),
  };
}

function endpointOf(address: string): { readonly socketPath: string } | { readonly host: string; readonly port: number } {
  const unix = /^unix:\/\/(\/.+)$/.exec(address);
  if (unix?.[1] !== undefined) return { socketPath: unix[1] };
  const tcp = /^tcp:\/\/(.+):(\d+)$/.exec(address);
  if (tcp?.[1] !== undefined) return { host: tcp[1], port: Number(tcp[2]) };
  throw new AppError('invalidArgument', `unable to parse docker host \`${address}\``);
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text.trim();
  }
}
