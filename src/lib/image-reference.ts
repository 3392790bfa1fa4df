// The grammar of image references, as distribution/reference has it: [domain/]path[:tag][@digest].

export interface ImageReference {
  /** "docker.io" when the text names none. */
  readonly domain: string;
  /** With "library/" in front of the official images. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Domain and path together. */
const MAX_NAME_LENGTH = 255;
/** A name, a tag of 128 characters and a digest of 128 digits: what is much longer is none. */
const MAX_LENGTH = 1_024;

const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)';
const DOMAIN_PATTERN = new RegExp(`^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH_PATTERN = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG_PATTERN = /^\w[\w.-]{0,127}$/;
const HEX_LENGTH_OF_ALGORITHM: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** The parts of a reference, or undefined when the text is none. */
export function parseImageReference(text: string): ImageReference | undefined {
  if (text === '' || text.length > MAX_LENGTH || /^[a-f0-9]{64}$/.test(text)) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const { domain, rest } = splitDomain(at < 0 ? text : text.slice(0, at));
  const colon = rest.indexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const path = withLibrary(domain, colon < 0 ? rest : rest.slice(0, colon));
  const isValid =
    DOMAIN_PATTERN.test(domain) &&
    PATH_PATTERN.test(path) &&
    domain.length + 1 + path.length <= MAX_NAME_LENGTH &&
    (tag === undefined || TAG_PATTERN.test(tag)) &&
    (digest === undefined || isDigest(digest));
  return isValid ? { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) } : undefined;
}

/** As Docker names the image of a task's container: with the tag that it means, and without the parts that go without saying. */
export function familiarImage(text: string): string {
  const reference = parseImageReference(text);
  if (reference === undefined) return text;
  const { domain, path, digest } = reference;
  const tag = reference.tag ?? (digest === undefined ? 'latest' : undefined);
  const name = domain !== 'docker.io' ? `${domain}/${path}` : path.startsWith('library/') && !path.includes('/', 8) ? path.slice(8) : path;
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** What stands before the first slash is a domain when it looks like one: a dot, a colon, an upper-case letter, or "localhost". */
function splitDomain(name: string): { readonly domain: string; readonly rest: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  if (!isDomain) return { domain: 'docker.io', rest: name };
  return { domain: first === 'index.docker.io' ? 'docker.io' : first, rest: name.slice(slash + 1) };
}

function withLibrary(domain: string, path: string): string {
  return domain === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
}

function isDigest(digest: string): boolean {
  const colon = digest.indexOf(':');
  const algorithm = digest.slice(0, Math.max(0, colon));
  const length = Object.hasOwn(HEX_LENGTH_OF_ALGORITHM, algorithm) ? HEX_LENGTH_OF_ALGORITHM[algorithm] : undefined;
  return length !== undefined && digest.length === colon + 1 + length && /^[a-f0-9]+$/.test(digest.slice(colon + 1));
}
