// Credentials of registries: in config.json, or with the helper programs that it names (docker-credential-…).
import { spawn } from 'node:child_process';
import { AppError, errorMessage } from '#lib/errors.ts';
import { parseImageReference } from '#lib/image-reference.ts';
import type { DockerConfig, StoredAuth } from '../docker-config.ts';

export const DOCKER_HUB = 'https://index.docker.io/v1/';

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** What `X-Registry-Auth` is for the registry of an image; undefined when there is nothing to send. */
export async function authHeader(config: DockerConfig, image: string): Promise<string | undefined> {
  const domain = parseImageReference(image)?.domain ?? '';
  const found = await findCredentials(config, domain === 'docker.io' ? DOCKER_HUB : domain);
  return Buffer.from(JSON.stringify(found ?? {})).toString('base64url');
}

export async function findCredentials({ values }: DockerConfig, server: string): Promise<Credentials | undefined> {
  const helper = values.credHelpers?.[server] ?? values.credsStore;
  if (helper !== undefined && helper !== '') {
    const answer = await runHelper(helper, 'get', server).catch((error: unknown) => {
      if (/credentials not found/i.test(errorMessage(error))) return undefined;
      throw error;
    });
    if (answer === undefined) return undefined;
    const { Username, Secret } = JSON.parse(answer) as { Username: string; Secret: string };
    return Username === '<token>' ? { identitytoken: Secret, serveraddress: server } : { username: Username, password: Secret, serveraddress: server };
  }
  const stored = values.auths?.[server] ?? values.auths?.[`https://${server}`] ?? values.auths?.[`https://${server}/v1/`];
  return stored === undefined ? undefined : decoded(stored, server);
}

function decoded({ auth = '', identitytoken }: StoredAuth, server: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return {
    ...(colon < 0 ? {} : { username: text.slice(0, colon), password: text.slice(colon + 1) }),
    ...(identitytoken ? { identitytoken } : {}),
    serveraddress: server,
  };
}

/** Stores them; resolves with whether they now lie unencrypted in config.json. */
export async function storeCredentials(config: DockerConfig, { username = '', password = '', identitytoken, serveraddress }: Credentials): Promise<boolean> {
  const helper = config.values.credHelpers?.[serveraddress] ?? config.values.credsStore;
  if (helper !== undefined && helper !== '') {
    const secret = identitytoken ? { Username: '<token>', Secret: identitytoken } : { Username: username, Secret: password };
    await runHelper(helper, 'store', JSON.stringify({ ServerURL: serveraddress, ...secret }));
    config.save((values) => ({ ...values, auths: { ...values.auths, [serveraddress]: {} } }));
    return false;
  }
  const auth = Buffer.from(`${username}:${identitytoken ? '' : password}`).toString('base64');
  config.save((values) => ({ ...values, auths: { ...values.auths, [serveraddress]: { auth, ...(identitytoken ? { identitytoken } : {}) } } }));
  return true;
}

export async function eraseCredentials(config: DockerConfig, server: string): Promise<void> {
  const helper = config.values.credHelpers?.[server] ?? config.values.credsStore;
  if (helper !== undefined && helper !== '') await runHelper(helper, 'erase', server);
  config.save((values) => ({ ...values, auths: Object.fromEntries(Object.entries(values.auths ?? {}).filter(([name]) => name !== server)) }));
}

/** Helpers read from the standard input, so that no secret is in an argument. */
function runHelper(helper: string, action: 'get' | 'store' | 'erase', input: string): Promise<string> {
  const program = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], { stdio: ['pipe', 'pipe', 'inherit'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', (cause) =>
      reject(new AppError('unavailable', `error getting credentials - err: ${errorMessage(cause)}, program: ${program}`, { cause })),
    );
    child.on('close', (code) => {
      const text = Buffer.concat(output).toString().trim();
      if (code === 0) resolve(text);
      else reject(new AppError('unknown', `error getting credentials - err: exit status ${code}, out: \`${text}\``));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
