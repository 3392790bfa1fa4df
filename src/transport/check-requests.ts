// What nodes send is looked at before anything acts on it: a node of the swarm may be taken over, and its word must not reach the store, or other nodes'
// commands, in a form that nobody expects. Fields that are not known here pass: a newer node has more to say.
import { isIP } from 'node:net';
import type { NodeDescription } from '#domain/objects.ts';
import { taskStateRank } from '#domain/task-state.ts';
import { AppError } from '#lib/errors.ts';
import type { TaskStatusUpdate } from '#protocol/messages.ts';
import type { IssueRequest, JoinManagersRequest } from './service.ts';

/** Says what is wrong, or nothing. */
type Check = (value: unknown) => string | undefined;

const MAX_TEXT = 1024 * 1024;
const MAX_UPDATES = 100_000;
const MAX_DESCRIPTION_BYTES = 1024 * 1024;
/** A request is some 300 bytes; RSA keys of 8,192 bits need 3 kB. */
const MAX_REQUEST_BYTES = 16 * 1024;

const text =
  (max = MAX_TEXT): Check =>
  (value) =>
    typeof value === 'string' && value.length <= max ? undefined : `must be a text of at most ${max} characters`;
const matching =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : `must be ${what}`;
const number: Check = (value) => (typeof value === 'number' && Number.isFinite(value) ? undefined : 'must be a number');
/** JavaScript knows no times beyond: who formats one throws. */
const MAX_TIME_MS = 8.64e15;
const time: Check = (value) => (typeof value === 'number' && Math.abs(value) <= MAX_TIME_MS ? undefined : 'must be a time in milliseconds');
const port: Check = (value) => (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535 ? undefined : 'must be a port');
const truth: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const address: Check = (value) => (typeof value === 'string' && isIP(value) !== 0 ? undefined : 'must be an IP address');
const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string) ? undefined : `must be one of ${values.join(', ')}`;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);
const list =
  (check: Check, max = 10_000): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length > max) return `must be a list of at most ${max}`;
    for (const [index, entry] of value.entries()) {
      const problem = check(entry);
      if (problem !== undefined) return `[${index}] ${problem}`;
    }
    return undefined;
  };
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const texts: Check = (value) => (isRecord(value) && Object.values(value).every((entry) => typeof entry === 'string') ? undefined : 'must map names to texts');
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isRecord(value)) return 'must be an object';
    for (const [name, check] of Object.entries(fields)) {
      const problem = check(Object.hasOwn(value, name) ? value[name] : undefined);
      if (problem !== undefined) return `.${name} ${problem}`.replaceAll(/ (?=[.[])/g, '');
    }
    return undefined;
  };

const description = record({
  hostname: text(255),
  dataPathAddress: address,
  encryption: optional(record({ publicKey: matching(/^[A-Za-z0-9+/]{43}=$/, 'a WireGuard key'), port })),
  platform: record({ os: text(255), architecture: text(255) }),
  resources: record({
    nanoCpus: optional(number),
    memoryBytes: optional(number),
    generic: optional(list(record({ kind: oneOf('named', 'discrete'), name: text(255) }))),
  }),
  engine: record({ version: text(255), labels: texts, plugins: list(record({ type: text(255), name: text(1_024) })) }),
  tls: optional(record({ trustRoot: text(), issuerSubject: text(), issuerPublicKey: text() })),
  daemon: optional(record({ version: text(255), level: number })),
});

const updates = list(
  record({
    taskId: text(64),
    status: record({
      state: (value) => (Number(taskStateRank[value as keyof typeof taskStateRank]) >= taskStateRank.accepted ? undefined : 'must be one that agents report'),
      timestamp: time,
      message: text(),
      error: optional(text()),
      container: optional(record({ containerId: text(255), pid: number, exitCode: number })),
      hostPorts: optional(list(record({ protocol: text(16), targetPort: port, publishedPort: optional(port) }))),
      serving: optional(truth),
      startedAt: optional(time),
    }),
  }),
  MAX_UPDATES,
);

const issueRequest = record({
  request: text(MAX_REQUEST_BYTES),
  token: optional(text(255)),
  availability: optional(oneOf('active', 'pause', 'drain')),
  cannotManage: optional(text(4_096)),
  now: optional(number),
  advertiseAddr: optional(text(300)),
  level: optional(number),
});

const joinManagersRequest = record({
  request: text(MAX_REQUEST_BYTES),
  advertiseAddr: matching(/^(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}$/, 'host:port'),
  level: optional(number),
});

export const checkIssueRequest = checker<IssueRequest>('request', issueRequest);
export const checkJoinManagersRequest = checker<JoinManagersRequest>('request', joinManagersRequest);
export const checkDescription = checker<NodeDescription>('description', (value) =>
  JSON.stringify(value ?? null).length > MAX_DESCRIPTION_BYTES ? 'is too long' : description(value),
);
export const checkStatusUpdates = checker<readonly TaskStatusUpdate[]>('updates', updates);
export const checkText = checker<string>('sessionId', text(255));
export const checkNumber = checker<number>('version', number);

/** Gives the value back as what it is, or throws AppError `invalidArgument`. */
function checker<T>(name: string, check: Check): (value: unknown) => T {
  return (value) => {
    const problem = check(value);
    if (problem !== undefined) throw new AppError('invalidArgument', `malformed message: ${name} ${problem}`.replaceAll(/ (?=[.[])/g, ''));
    return value as T;
  };
}
