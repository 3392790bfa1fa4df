// How the values of engine options are written in labels. Scalars are as in a Compose file; lists are separated by commas and maps are `name=value` lists, or
// either is JSON where a comma is part of it. What is written reads back as the same value.
import { parseBytes } from '#lib/bytes.ts';
import { parseDuration } from '#lib/duration.ts';
import type { BlkioOptions, Device, DeviceRequest } from './extras.ts';

/** `problem` goes on after "is not": "a size such as 64m". */
export type ReadResult<T> = { readonly value: T } | { readonly problem: string };

export interface TextForm<T> {
  readonly read: (text: string) => ReadResult<T>;
  readonly write: (value: T) => string;
}

/** Reads what `accepts` lets pass; a thrown error or undefined is the problem. */
function form<T>(problem: string, read: (text: string) => T | undefined, write: (value: T) => string): TextForm<T> {
  return {
    read(text) {
      const value = attempt(() => read(text));
      return value === undefined ? { problem } : { value };
    },
    write,
  };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

const flags: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export const flag: TextForm<boolean> = form('true or false', (text) => flags.get(text), String);

export function oneOf(...words: readonly string[]): TextForm<string> {
  const known = words.length === 1 ? JSON.stringify(words[0]) : `one of ${words.join(', ')}`;
  return form(`${known}; modes of other containers mean nothing on another node`, (text) => (words.includes(text) ? text : undefined), String);
}

const hasNoControl = (text: string) => !/\p{Cc}/u.test(text);

export const word: TextForm<string> = form('a word', (text) => (/^\S+$/.test(text) && hasNoControl(text) ? text : undefined), String);

export const cpuset: TextForm<string> = form('a list of CPUs such as 0-2,4', (text) => (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text) ? text : undefined), String);

export const size: TextForm<number> = form('a size such as 64m', sizeOf, String);

function sizeOf(text: string): number | undefined {
  const read = parseBytes(text);
  return 'bytes' in read && read.bytes > 0 ? read.bytes : undefined;
}

export const count: TextForm<number> = form('a whole number', (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined), String);

export const microseconds: TextForm<number> = form('a number of microseconds or a duration such as 50ms', microsecondsOf, String);

function microsecondsOf(text: string): number | undefined {
  if (/^(-1|\d{1,15})$/.test(text)) return Number(text);
  const ns = parseDuration(text);
  return ns === undefined || ns < 0 ? undefined : Math.trunc(ns / 1_000);
}

export const list: TextForm<readonly string[]> = form('a list', listOf, writeList);

function listOf(text: string): readonly string[] | undefined {
  const items: unknown = text.startsWith('[') ? JSON.parse(text) : text.split(',').map((item) => item.trim());
  return isTextList(items) && items.length > 0 && items.every((item) => item !== '') ? items : undefined;
}

function writeList(items: readonly string[]): string {
  const needsJson = items.some((item) => item.includes(',') || item.trim() !== item || item.startsWith('['));
  return needsJson ? JSON.stringify(items) : items.join(',');
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export const map: TextForm<Readonly<Record<string, string>>> = form('a list of name=value, or a JSON object of texts', mapOf, (value) => {
  const pairs = Object.entries(value);
  const needsJson = pairs.some(
    ([name, text]) => name.includes('=') || [name, text].some((part) => part.includes(',') || part.trim() !== part) || name.startsWith('{'),
  );
  return needsJson ? JSON.stringify(value) : pairs.map(([name, text]) => `${name}=${text}`).join(',');
});

function mapOf(text: string): Readonly<Record<string, string>> | undefined {
  if (text.startsWith('{')) {
    const value: unknown = JSON.parse(text);
    return isMap(value) && Object.values(value).every((item) => typeof item === 'string') ? (value as Record<string, string>) : undefined;
  }
  const pairs = text.split(',').map((pair) => /^([^=]+)=(.*)$/s.exec(pair.trim()));
  if (pairs.some((pair) => pair === null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The kernel's form of a rule of the device controller. */
export const deviceRules: TextForm<readonly string[]> = form(
  'a list of rules such as "c 1:3 rwm"',
  (text) => {
    const rules = listOf(text);
    return rules?.every((rule) => /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(rule)) ? rules : undefined;
  },
  writeList,
);

const CDI_NAME = /^[a-zA-Z0-9][\w.-]*\/[a-zA-Z0-9][\w.-]*=[\w.:-]+$/;

/** Whether a device is meant by its name in the Container Device Interface. */
export function isCdiName(text: string): boolean {
  return CDI_NAME.test(text);
}

export const devices: TextForm<readonly Device[]> = form<readonly Device[]>(
  'a list of devices such as /dev/fuse or /dev/sda:/dev/disk:r',
  (text) => {
    const items = listOf(text)?.map(deviceOf);
    return items?.every((item) => item !== undefined) ? items : undefined;
  },
  (items) => writeList(items.map(writeDevice)),
);

/** "/dev/a:rwm" names permissions in the place of the target. */
export function deviceOf(text: string): Device | undefined {
  if (isCdiName(text)) return { pathOnHost: text, pathInContainer: text, permissions: 'rwm' };
  const [source = '', second, third, ...more] = text.split(':');
  const isShort = second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second);
  const device = isShort
    ? { pathOnHost: source, pathInContainer: source, permissions: second }
    : { pathOnHost: source, pathInContainer: second || source, permissions: third || 'rwm' };
  const isValid = more.length === 0 && source.startsWith('/') && device.pathInContainer.startsWith('/') && /^[rwm]{1,3}$/.test(device.permissions);
  return isValid && hasNoControl(text) ? device : undefined;
}

function writeDevice({ pathOnHost, pathInContainer, permissions }: Device): string {
  if (isCdiName(pathOnHost)) return pathOnHost;
  if (permissions !== 'rwm') return `${pathOnHost}:${pathInContainer}:${permissions}`;
  return pathInContainer === pathOnHost ? pathOnHost : `${pathOnHost}:${pathInContainer}`;
}

/** As `docker run --gpus` takes them ("all", "2", "device=0"), or a JSON list with Compose's keys. */
export const deviceRequests: TextForm<readonly DeviceRequest[]> = form(
  'a number of GPUs, "all", options as of docker run --gpus, or a JSON list of devices as in a Compose file',
  (text) => {
    const requests = text.startsWith('[') ? requestsOfJson(JSON.parse(text)) : [gpuOptions(text)];
    return requests?.every((request) => request !== undefined) && requests.length > 0 ? requests : undefined;
  },
  (requests) => {
    const [first] = requests;
    const isPlain = requests.length === 1 && first?.count !== undefined && Object.keys(first).length === 2 && first.capabilities.join() === 'gpu';
    if (isPlain) return first.count === -1 ? 'all' : String(first.count);
    return JSON.stringify(
      requests.map(({ driver, count: number, deviceIds, capabilities, options }) => ({ driver, count: number, device_ids: deviceIds, capabilities, options })),
    );
  },
);

function gpuOptions(text: string): DeviceRequest | undefined {
  const plain = countOf(text);
  if (plain !== undefined) return { count: plain, capabilities: ['gpu'] };
  let request: DeviceRequest = { capabilities: ['gpu'] };
  // CSV: a field with commas in it stands in quotes.
  const fields = [...text.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,]*)/g)].map(([, field = '']) => field.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"'));
  for (const field of fields) {
    const [, name = '', value = ''] = /^([a-z]+)=(.+)$/.exec(field) ?? [];
    const items = value.split(',');
    if (name === 'driver') request = { ...request, driver: value };
    else if (name === 'count' && countOf(value) !== undefined) request = { ...request, count: countOf(value) ?? -1 };
    else if (name === 'device') request = { ...request, deviceIds: items };
    else if (name === 'capabilities') request = { ...request, capabilities: [...new Set([...request.capabilities, ...items])] };
    else if (name === 'options' && mapOf(value) !== undefined) request = { ...request, options: mapOf(value) ?? {} };
    else return undefined;
  }
  return complete(request);
}

function countOf(text: string | number): number | undefined {
  if (text === 'all' || text === -1 || text === '-1') return -1;
  return /^[1-9]\d{0,5}$/.test(String(text)) ? Number(text) : undefined;
}

/** A count or ids, not both; without either all are meant. */
function complete(request: DeviceRequest): DeviceRequest | undefined {
  if (request.count !== undefined && request.deviceIds !== undefined) return undefined;
  return request.count === undefined && request.deviceIds === undefined ? { ...request, count: -1 } : request;
}

function requestsOfJson(value: unknown): readonly (DeviceRequest | undefined)[] | undefined {
  return Array.isArray(value) ? value.map(requestOfJson) : undefined;
}

function requestOfJson(value: unknown): DeviceRequest | undefined {
  if (!isMap(value)) return undefined;
  const { driver, count: number, device_ids: ids, capabilities = ['gpu'], options, ...unknown } = value;
  const isValid =
    Object.keys(unknown).length === 0 &&
    (driver === undefined || typeof driver === 'string') &&
    (number === undefined || ((typeof number === 'number' || typeof number === 'string') && countOf(number) !== undefined)) &&
    (ids === undefined || (isTextList(ids) && ids.length > 0)) &&
    isTextList(capabilities) &&
    (options === undefined || (isMap(options) && Object.values(options).every((item) => typeof item === 'string')));
  if (!isValid) return undefined;
  return complete({
    ...(driver === undefined ? {} : { driver }),
    ...(number === undefined ? {} : { count: countOf(number as string | number) ?? -1 }),
    ...(ids === undefined ? {} : { deviceIds: ids }),
    capabilities,
    ...(options === undefined ? {} : { options: options as Readonly<Record<string, string>> }),
  });
}

const rateKeys = { readBps: 'device_read_bps', readIops: 'device_read_iops', writeBps: 'device_write_bps', writeIops: 'device_write_iops' } as const;

/** JSON with Compose's keys. */
export const blkio: TextForm<BlkioOptions> = form(
  'a JSON object such as {"weight":300,"device_read_bps":[{"path":"/dev/sda","rate":"12mb"}]}',
  (text) => {
    const value: unknown = JSON.parse(text);
    return isMap(value) ? blkioOf(value) : undefined;
  },
  ({ weight, weightDevices, ...rates }) =>
    JSON.stringify({
      weight,
      weight_device: weightDevices,
      ...Object.fromEntries(Object.entries(rates).map(([name, all]) => [rateKeys[name as keyof typeof rateKeys], all])),
    }),
);

/** Of a Compose file or a label; undefined when something in it is wrong. */
export function blkioOf(given: Readonly<Record<string, unknown>>): BlkioOptions | undefined {
  const known = new Set<string>(['weight', 'weight_device', ...Object.values(rateKeys)]);
  if (Object.keys(given).some((key) => !known.has(key)) || Object.keys(given).length === 0) return undefined;
  const { weight, weight_device: weights } = given;
  const rates = Object.entries(rateKeys).flatMap(([name, key]) => (given[key] === undefined ? [] : [[name, entriesOf(given[key], 'rate', rateOf)] as const]));
  const weightDevices = weights === undefined ? undefined : entriesOf(weights, 'weight', wholeOf);
  const isWrong =
    (weight !== undefined && wholeOf(weight) === undefined) ||
    (weights !== undefined && weightDevices === undefined) ||
    rates.some(([, all]) => all === undefined);
  if (isWrong) return undefined;
  return {
    ...(weight === undefined ? {} : { weight: wholeOf(weight) ?? 0 }),
    ...(weightDevices === undefined ? {} : { weightDevices: weightDevices as BlkioOptions['weightDevices'] & object }),
    ...Object.fromEntries(rates),
  };
}

function wholeOf(value: unknown): number | undefined {
  return /^\d{1,9}$/.test(String(value)) ? Number(value) : undefined;
}

function rateOf(value: unknown): number | undefined {
  return typeof value === 'number' ? (Number.isSafeInteger(value) && value >= 0 ? value : undefined) : sizeOf(String(value));
}

function entriesOf<K extends string>(
  value: unknown,
  key: K,
  read: (value: unknown) => number | undefined,
): readonly Readonly<Record<string, unknown>>[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const entries = value.map((entry: unknown) => {
    if (!isMap(entry) || typeof entry['path'] !== 'string' || !entry['path'].startsWith('/')) return undefined;
    const number = read(entry[key]);
    return number === undefined ? undefined : { path: entry['path'], [key]: number };
  });
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}
