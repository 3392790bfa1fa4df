// Sends recorded requests to a server and compares its answers with the recorded ones: the status, and the shape of the body (fields and their
// types). Ids, times and addresses differ from run to run: those of the recording are replaced by ours as they turn up in answers.
import { request as httpRequest } from 'node:http';
import type { RecordedExchange } from './shared-data.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export type Send = (method: string, path: string, headers: Readonly<Record<string, string>>, body: unknown) => Promise<Answer>;

export interface Difference {
  readonly origin: string;
  readonly request: string;
  readonly problems: readonly string[];
}

export interface ReplayOptions {
  readonly send: Send;
  /** Exchanges that are not sent: events, other nodes … */
  readonly skip?: (exchange: RecordedExchange) => boolean;
  /** Statuses that are right although another one was recorded: the daemon of the recording is older than the one we follow. */
  readonly accept?: (exchange: RecordedExchange, answer: Answer) => boolean;
  /** How long a read may take to become what was recorded: what the recording saw may still be in the making here. */
  readonly patienceMs?: number;
}

const RETRY_MS = 50;
const DEFAULT_PATIENCE_MS = 1_000;

/** Every difference, in order. Objects that an answer creates stand for the recorded ones from then on. */
export async function replay(
  exchanges: readonly RecordedExchange[],
  { send, skip = () => false, accept = () => false, patienceMs = DEFAULT_PATIENCE_MS }: ReplayOptions,
): Promise<Difference[]> {
  const ids = new Map<string, string>();
  const versions = new Map<string, string>();
  const differences: Difference[] = [];
  for (const exchange of exchanges) {
    if (skip(exchange)) continue;
    const path = translatePath(exchange, ids, versions);
    if (path === undefined) continue;
    const ask = async () => {
      const answer = await send(exchange.method, path, headersOf(exchange), translate(exchange.body, ids));
      return { answer, problems: accept(exchange, answer) ? [] : compare(exchange, answer) };
    };
    let { answer, problems } = await ask();
    for (let tries = 0; problems.length > 0 && tries * RETRY_MS < patienceMs && exchange.method === 'GET' && exchange.status === 200; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      ({ answer, problems } = await ask());
    }
    learn(exchange.answer, answer.body, ids, versions);
    if (problems.length > 0) differences.push({ origin: exchange.origin, request: `${exchange.method} ${path}`, problems });
  }
  return differences;
}

/** A sender to a unix socket or a TCP port. */
export function sendOver(target: { readonly socketPath: string } | { readonly host: string; readonly port: number }): Send {
  return (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
      const request = httpRequest(
        { ...target, method, path, headers: { ...headers, ...(payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) }) } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parseBody(Buffer.concat(chunks).toString('utf8')) }));
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function headersOf({ headers, body }: RecordedExchange): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => /^(content-type|x-registry-auth)$/i.test(name));
  return Object.fromEntries(body === undefined || kept.some(([name]) => /content-type/i.test(name)) ? kept : [...kept, ['Content-Type', 'application/json']]);
}

const objectId = /\b[0-9a-z]{25}\b/g;

/**
 * The path for our server. Undefined when it names what was never seen in an answer, and so has no counterpart here: objects of other nodes or from
 * before the recording, and versions for an update.
 */
function translatePath({ path, status }: RecordedExchange, ids: ReadonlyMap<string, string>, versions: ReadonlyMap<string, string>): string | undefined {
  const unknown = (path.match(objectId) ?? []).some((id) => !ids.has(id));
  if (unknown && status < 400) return undefined;
  const translated = translateIds(path, ids);
  const target = /\/([^/]+)\/update\?.*version=(\d+)/.exec(path);
  if (!target) return translated;
  const version = versions.get(`${target[1]}@${target[2]}`);
  if (version === undefined) return status < 400 ? undefined : translated;
  return translated.replace(/version=\d+/, `version=${version}`);
}

/** Ids in queries stand between escaped quotes, which look like part of them. */
function translateIds(path: string, ids: ReadonlyMap<string, string>): string {
  const [place = '', query] = path.split('?', 2);
  const translated = place.replace(objectId, (id) => ids.get(id) ?? id);
  if (query === undefined) return translated;
  const fields = [...new URLSearchParams(query)].map(([key, value]): [string, string] => [key, value.replace(objectId, (id) => ids.get(id) ?? id)]);
  return `${translated}?${new URLSearchParams(fields).toString()}`;
}

function translate(value: unknown, ids: ReadonlyMap<string, string>): unknown {
  if (value === undefined) return undefined;
  return JSON.parse(JSON.stringify(value).replace(objectId, (id) => ids.get(id) ?? id));
}

/** Pairs ids that stand in the same place of both answers, and the versions of objects. Lists pair by name. */
function learn(recorded: unknown, ours: unknown, ids: Map<string, string>, versions: Map<string, string>): void {
  if (Array.isArray(recorded) && Array.isArray(ours)) {
    for (const item of recorded) learn(item, counterpart(item, ours, ids), ids, versions);
    return;
  }
  if (!isObject(recorded) || !isObject(ours)) return;
  for (const key of ['ID', 'Id', 'NodeID', 'ServiceID']) pairIds(recorded[key], ours[key], ids);
  const [version, ourVersion] = [recorded['Version'], ours['Version']];
  if (isObject(version) && isObject(ourVersion))
    versions.set(`${String(recorded['ID'])}@${String(version['Index'])}`, JSON.stringify(ourVersion['Index'] ?? 0));
  for (const key of ['Spec', 'Endpoint', 'VirtualIPs', 'Swarm', 'Cluster']) learn(recorded[key], ours[key], ids, versions);
}

function pairIds(recorded: unknown, ours: unknown, ids: Map<string, string>): void {
  if (typeof recorded === 'string' && typeof ours === 'string' && recorded !== '' && ours !== '') ids.set(recorded, ours);
}

/** The item of our list that stands for `item`: of the same id, else of the same name. */
function counterpart(item: unknown, ours: readonly unknown[], ids: ReadonlyMap<string, string>): unknown {
  if (!isObject(item)) return undefined;
  const id = ids.get(String(item['ID'] ?? item['Id']));
  return (
    ours.find((other) => isObject(other) && id !== undefined && (other['ID'] ?? other['Id']) === id) ??
    ours.find((other) => isObject(other) && nameOf(other) !== undefined && nameOf(other) === nameOf(item))
  );
}

function nameOf(value: Record<string, unknown>): unknown {
  return value['Name'] ?? (isObject(value['Spec']) ? value['Spec']['Name'] : undefined);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function compare(exchange: RecordedExchange, answer: Answer): string[] {
  if (answer.status !== exchange.status) {
    return [
      `status ${answer.status} instead of ${exchange.status}: ${JSON.stringify(answer.body)} instead of ${JSON.stringify(exchange.answer)}`.slice(0, 600),
    ];
  }
  if (exchange.status >= 400) return compareMessages(exchange.answer, answer.body);
  return compareShapes(exchange.answer, answer.body, '');
}

function compareMessages(recorded: unknown, ours: unknown): string[] {
  const [expected, actual] = [recorded, ours].map((body) => (isObject(body) ? normalizeMessage(String(body['message'])) : body));
  return expected === actual ? [] : [`message ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`];
}

/** Ids and what API 1.50 says differently from the recorded 1.41 (docker-surface §1.14). */
function normalizeMessage(message: string): string {
  return message
    .replace(objectId, '<id>')
    .replace(/\d+ matches/, 'N matches')
    .replace(/^invalid JSON: /, '')
    .replace(/^Invalid filter/, 'invalid filter');
}

/** Fields of the recorded answer that ours lacks or has with another type. Fields that are maps of the user's are not descended into. */
function compareShapes(recorded: unknown, ours: unknown, place: string): string[] {
  if (recorded === null || recorded === undefined || recorded === '') return [];
  if (typeOf(recorded) !== typeOf(ours)) return [`${place || 'body'} is ${typeOf(ours)} instead of ${typeOf(recorded)}`];
  if (Array.isArray(recorded) && Array.isArray(ours)) {
    return recorded.flatMap((item, index) => {
      const other =
        isObject(item) && nameOf(item) !== undefined ? ours.find((candidate) => isObject(candidate) && nameOf(candidate) === nameOf(item)) : ours[index];
      return other === undefined ? [] : compareShapes(item, other, `${place}[${index}]`);
    });
  }
  if (!isObject(recorded) || !isObject(ours)) return [];
  return Object.entries(recorded)
    .filter(([key]) => !userMaps.includes(key))
    .flatMap(([key, value]) => compareShapes(value, ours[key], `${place}.${key}`));
}

/** Maps whose keys are the user's or the engine's. */
const userMaps = ['Labels', 'Options', 'Containers'];

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'absent';
  return Array.isArray(value) ? 'list' : typeof value;
}
