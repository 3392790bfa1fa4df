// The short form of a volume: [source:]target[:options], read as Docker's CLI reads it, drive letters included.

export type ShortVolume = {
  readonly type: 'volume' | 'bind';
  readonly source?: string;
  readonly target: string;
  readonly read_only?: true;
  readonly bind?: { readonly propagation?: string; readonly create_host_path?: true; readonly selinux?: string };
  readonly volume?: { readonly nocopy: true };
};

const PROPAGATIONS = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave']);

/** The long form, or what is wrong in Docker's words. Options that nobody knows are passed over, as Docker does. */
export function parseVolume(spec: string): ShortVolume | { readonly problem: string } {
  if (spec === '') return { problem: 'invalid empty volume spec' };
  // Docker takes what is too short to be split for a target.
  if (spec.length <= 2) return { type: 'volume', target: spec };
  const parts = splitParts(spec);
  if (parts === undefined) return { type: 'volume', target: spec };
  if (parts.some((part) => part === '')) return { problem: `invalid spec: ${spec}: empty section between colons` };
  if (parts.length > 3) return { problem: `invalid spec: ${spec}: too many colons` };
  if (parts.length === 1) return { type: 'volume', target: spec };
  const [source = '', target = '', options = ''] = parts;
  const type = isPath(source) ? 'bind' : 'volume';
  return { type, source, target, ...readOptions(options, type) };
}

/** A single letter before a colon is a drive. Undefined: all of it is one drive path. */
function splitParts(spec: string): readonly string[] | undefined {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < spec.length; at += 1) {
    const character = spec[at] ?? '';
    if (character === ':' && !(part.length === 1 && /[a-zA-Z]/.test(part))) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return parts.length === 0 ? undefined : [...parts, part];
}

function isPath(source: string): boolean {
  return /^[./~]/.test(source) || /^[a-zA-Z]:/.test(source) || source.startsWith('\\\\');
}

function readOptions(text: string, type: 'volume' | 'bind'): Partial<ShortVolume> {
  const options = text.split(',');
  const propagation = options.find((option) => PROPAGATIONS.has(option));
  const selinux = type === 'bind' ? options.find((option) => option === 'z' || option === 'Z') : undefined;
  const bind = { ...(propagation === undefined ? {} : { propagation }), ...(selinux === undefined ? {} : { selinux }) };
  return {
    ...(options.includes('ro') ? { read_only: true } : {}),
    ...(Object.keys(bind).length > 0 ? { bind } : {}),
    ...(options.includes('nocopy') ? { volume: { nocopy: true } } : {}),
  };
}
