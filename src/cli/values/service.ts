// The other values of a service's options.
import { isIP } from 'node:net';
import type { GenericResource, Privileges } from '#docker-api/service-spec.ts';
import { parseGoDuration } from '../format/duration.ts';

export function parsePlacementPreference(text: string): string {
  const [strategy = '', descriptor = '', ...rest] = text.split('=');
  if (!text.includes('=') || rest.length > 0) throw new Error('placement preference must be of the format "<strategy>=<arg>"');
  if (strategy !== 'spread') throw new Error(`unsupported placement preference ${strategy} (only spread is supported)`);
  return descriptor;
}

export function parseCredentialSpec(text: string): NonNullable<Privileges['CredentialSpec']> {
  const [, scheme = '', value = ''] = /^(config|file|registry):\/\/(.*)$/.exec(text) ?? [];
  if (text === '') return {};
  if (scheme === 'config') return { Config: value };
  if (scheme === 'file') return { File: value };
  if (scheme === 'registry') return { Registry: value };
  throw new Error('invalid credential spec: value must be prefixed with "config://", "file://", or "registry://"');
}

export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

const ULIMITS = ['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'];

/** `nofile=100:200`. */
export function parseUlimit(text: string): Ulimit {
  const equals = text.indexOf('=');
  if (equals < 0) throw new Error(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  if (!ULIMITS.includes(name)) throw new Error(`invalid ulimit type: ${name}`);
  const limits = text.slice(equals + 1).split(':');
  if (limits.length > 2 || limits[0] === '')
    throw new Error(`too many limit value arguments - ${text.slice(equals + 1)}, can only have up to two, \`soft[:hard]\``);
  const [soft = 0, hard = soft] = limits.map((limit) => {
    if (!/^-?\d+$/.test(limit)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(limit)}: invalid syntax`);
    return Number(limit);
  });
  if (hard !== -1 && (soft > hard || soft === -1)) throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { Name: name, Hard: hard, Soft: soft };
}

/** `gpu=2`, or several with commas. Throws with docker's words. */
export function genericResources(texts: readonly string[]): GenericResource[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((text) => {
      const [kind = '', value = ''] = text.split('=');
      if (kind === '' || value === '') throw new Error(`invalid generic-resource request \`${text}\`, expected <kind>=<value>`);
      if (!/^\d+$/.test(value))
        throw new Error(`invalid generic-resource request \`${text}\`, Named Generic Resources is not supported for service create or update`);
      return { DiscreteResourceSpec: { Kind: kind, Value: Number(value) } };
    });
}

export function parseHost(text: string): string {
  const separator = /[:=]/.exec(text)?.index ?? -1;
  const address = text.slice(separator + 1).replaceAll(/[[\]]/g, '');
  if (separator <= 0) throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  if (address !== 'host-gateway' && isIP(address) === 0) throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${text.slice(0, separator)}:${address}`;
}

export function parseIpAddress(text: string): string {
  if (isIP(text.trim()) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return text.trim();
}

export function parseDnsSearch(text: string): string {
  if (text === '.') return text;
  if (!/^[a-zA-Z0-9_]([\w-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([\w-]*[a-zA-Z0-9_])?)*\.?$/.test(text)) throw new Error(`${text} is not a valid domain`);
  return text;
}

export function parseLabel(text: string): string {
  if (text === '' || text.startsWith('=')) throw new Error(`invalid label '${text}': empty name`);
  return text;
}

/** Words as a shell cuts them: quotes, backslashes, comments. */
export function shellWords(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < text.length; index += 1) {
    const letter = text[index] ?? '';
    if (quote === "'") {
      if (letter === "'") quote = '';
      else word = (word ?? '') + letter;
    } else if (quote === '"') {
      if (letter === '"') quote = '';
      else if (letter === '\\') word = (word ?? '') + (text[(index += 1)] ?? '');
      else word = (word ?? '') + letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= '';
    } else if (letter === '\\') word = (word ?? '') + (text[(index += 1)] ?? '');
    else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === '#' && word === undefined) break;
    else word = (word ?? '') + letter;
  }
  if (quote !== '') throw new Error('EOF found when expecting closing quote');
  return word === undefined ? words : [...words, word];
}

export function parsePositiveDuration(text: string): number {
  const value = parseGoDuration(text);
  if (value < 0) throw new Error('duration cannot be negative');
  return value;
}
