// Values of the swarm commands' options.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { errorMessage } from '#lib/errors.ts';
import { fileReason } from '../shared/file-error.ts';
import { parseCsv } from '../values/csv.ts';

export interface ExternalCa {
  readonly Protocol: string;
  readonly URL: string;
  readonly Options: Readonly<Record<string, string>>;
  readonly CACert: string;
}

/** `protocol=cfssl,url=…[,cacert=file][,option=value]`. */
export function parseExternalCa(text: string): ExternalCa {
  let protocol = '';
  let url = '';
  let certificate = '';
  const options: Record<string, string> = {};
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const [key, value] = [field.slice(0, equals), field.slice(equals + 1)];
    if (key.toLowerCase() === 'protocol') {
      if (value.toLowerCase() !== 'cfssl') throw new Error(`unrecognized external CA protocol ${value}`);
      protocol = 'cfssl';
    } else if (key.toLowerCase() === 'url') url = value;
    else if (key.toLowerCase() === 'cacert')
      certificate = readPem(value, 'unable to read CA cert for external CA', 'CA cert for external CA must be in PEM format');
    else options[key] = value;
  }
  if (protocol === '') throw new Error('the external-ca option needs a protocol= parameter');
  if (url === '') throw new Error('the external-ca option needs a url= parameter');
  return { Protocol: protocol, URL: url, Options: options, CACert: certificate };
}

export function parsePemFile(path: string): string {
  return readPem(path, '', 'file contents must be in PEM format');
}

function readPem(path: string, prefix: string, problem: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(prefix === '' ? `open ${path}: ${fileReason(error)}` : `${prefix}: ${errorMessage(error)}`, { cause: error });
  }
  if (!/-----BEGIN [A-Z ]+-----/.test(text)) throw new Error(problem);
  return text;
}

/** One or several subnets with commas. */
export function parsePool(text: string): readonly string[] {
  return text.split(',').map((part) => {
    const [address = '', bits = ''] = part.trim().split('/');
    const family = isIP(address);
    if (family === 0 || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) throw new Error(`invalid string being converted to CIDR: ${part}`);
    return part.trim();
  });
}
