// What changes in a request or an answer on its way through the proxy: the version in the path and the headers that belong to one connection only.
import { engineVersion, MAX_API_VERSION, versionText } from '../version.ts';

export interface ClientPath {
  /** Version as the client wrote it; undefined for an unversioned path. */
  readonly requested?: string;
  /** The minor number that was negotiated for it. */
  readonly apiVersion: number;
  /** Path and query without the version, exactly as the client encoded them. */
  readonly rest: string;
}

/** The path for the engine: a version that it speaks where the client gave one, and as it came where it did not. */
export function enginePath(client: ClientPath, engine: { readonly apiVersion: number; readonly minApiVersion: number }): string {
  return client.requested === undefined ? client.rest : `/v${versionText(engineVersion(client.apiVersion, engine))}${client.rest}`;
}

/** Headers about one connection; each side of the proxy makes its own (RFC 9110, 7.6.1). Framing headers stay: both sides frame alike. */
const connectionHeaders = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings']);

/** Flat name-value list without the connection's own headers; `skip` names more, in lower case. */
export function withoutConnectionHeaders(rawHeaders: readonly string[], skip?: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (!connectionHeaders.has(lower) && !skip?.has(lower)) kept.push(name, rawHeaders[index + 1] ?? '');
  }
  return kept;
}

/** The engine's answer says the highest version that this socket speaks, so that no client mixes the two up. */
export function responseHeaders(rawHeaders: readonly string[]): string[] {
  const kept = withoutConnectionHeaders(rawHeaders);
  for (let index = 0; index + 1 < kept.length; index += 2) {
    if (kept[index]?.toLowerCase() === 'api-version') kept[index + 1] = versionText(MAX_API_VERSION);
  }
  return kept;
}

/** The request line and headers as text, ready for the wire. */
export function headText(firstLine: string, rawHeaders: readonly string[]): string {
  let text = `${firstLine}\r\n`;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) text += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  return `${text}\r\n`;
}
