// `--network`, `--secret` and `--config` of services: a name, or comma-separated keys.
import type { NetworkAttachmentConfig } from '#docker-api/service-spec.ts';
import { cutField, parseCsv } from './csv.ts';

export function parseNetwork(text: string): NetworkAttachmentConfig {
  if (!/\w+=\w+(,\w+=\w+)*/.test(text)) return { Target: text };
  let target = '';
  const aliases: string[] = [];
  const driverOptions: Record<string, string> = {};
  for (const field of parseCsv(text)) {
    const [name, value] = cutField(field);
    if (value === undefined) throw new Error(`invalid field ${field}`);
    const key = name.trim().toLowerCase();
    const content = value.trim();
    if (key === 'name') target = content;
    else if (key === 'alias') aliases.push(content);
    else if (key === 'driver-opt') {
      const [option, setting] = cutField(content);
      if (setting === undefined) throw new Error(`invalid key value pair format in driver options`);
      driverOptions[option.trim().toLowerCase()] = setting.trim().toLowerCase();
    } else if (['ip', 'ip6', 'mac-address', 'link-local-ip', 'gw-priority'].includes(key)) continue;
    else throw new Error(`invalid field key ${key}`);
  }
  if (target === '') throw new Error('network name/id is not specified');
  return {
    Target: target,
    ...(aliases.length > 0 ? { Aliases: aliases } : {}),
    ...(Object.keys(driverOptions).length > 0 ? { DriverOpts: driverOptions } : {}),
  };
}

export interface FileReference {
  readonly source: string;
  readonly target: string;
  readonly uid: string;
  readonly gid: string;
  readonly mode: number;
}

export function parseFileReference(text: string): FileReference {
  const fields = parseCsv(text);
  const draft = { source: '', target: '', uid: '0', gid: '0', mode: 0o444 };
  if (fields.length === 1 && !text.includes('=')) return { ...draft, source: fields[0] ?? '', target: fields[0] ?? '' };
  for (const field of fields) {
    const [name, value] = cutField(field);
    if (value === undefined) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const key = name.toLowerCase();
    if (key === 'source' || key === 'src') draft.source = value;
    else if (key === 'target') draft.target = value;
    else if (key === 'uid') draft.uid = value;
    else if (key === 'gid') draft.gid = value;
    else if (key === 'mode') draft.mode = modeOf(value);
    else throw new Error(`invalid field in ${field.includes('secret') ? 'secret' : 'config'} request: ${key}`);
  }
  if (draft.source === '') throw new Error('source is required');
  return { ...draft, target: draft.target === '' ? draft.source : draft.target };
}

function modeOf(text: string): number {
  const problem = (what: string) => new Error(`invalid mode specified: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${what}`);
  if (!/^(0[0-7]*|0[oO][0-7]+|0[xX][\da-fA-F]+|[1-9]\d*)$/.test(text)) throw problem('invalid syntax');
  const value = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
  if (value >= 2 ** 32) throw problem('value out of range');
  return value;
}
