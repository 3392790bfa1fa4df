// What was deployed when: each deploy keeps its Compose source and the specs that came of it, as a config of the swarm with labels. Contents of secrets
// are never in it: a stack names its secrets, and `content:` and the like are cut out of the source.
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Client } from '#client/client.ts';
import type { ResolvedStack } from '#compose/index.ts';
import type { Config } from '#docker-api/secret-config.ts';
import { AppError } from '#lib/errors.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';

export const REVISION_LABEL = 'com.docker.skep.stack.revision';
const NAMESPACE_LABEL = 'com.docker.stack.namespace';
export const MAX_REVISIONS = 10;
const MAX_ROUNDS = 5;

export interface Revision {
  readonly number: number;
  readonly deployedAt: string;
  /** What was done: `deploy`, or `rollback to 3`. */
  readonly action: string;
  readonly summary: string;
  readonly source: string;
  /** With names in the place of ids; secrets and configs by the names of their versions, without contents. */
  readonly stack: ResolvedStack;
}

interface StoredRevision {
  readonly id: string;
  readonly revision: Revision;
}

/** Oldest first. */
export async function readRevisions(client: Client, stack: string): Promise<readonly StoredRevision[]> {
  const configs = await client.call<Config[]>('GET', '/configs', { query: filterQuery({ label: [REVISION_LABEL, `${NAMESPACE_LABEL}=${stack}`] }) });
  return configs
    .filter(({ Spec }) => Spec.Labels?.[NAMESPACE_LABEL] === stack)
    .map(({ ID, Spec }) => ({ id: ID, revision: JSON.parse(gunzipSync(Buffer.from(Spec.Data ?? '', 'base64')).toString()) as Revision }))
    .sort((a, b) => a.revision.number - b.revision.number);
}

/** Keeps a new revision and lets go of the oldest beyond the limit. */
export async function keepRevision(client: Client, name: string, revision: Omit<Revision, 'number'>): Promise<void> {
  for (let round = 1; ; round++) {
    const known = await readRevisions(client, name);
    try {
      await storeRevision(client, known, { name, revision });
      return;
    } catch (error) {
      // Two deploys at the same time want the same number.
      if (round === MAX_ROUNDS || !(error instanceof AppError) || error.code !== 'conflict') throw error;
    }
  }
}

async function storeRevision(
  client: Client,
  known: readonly StoredRevision[],
  { name, revision }: { readonly name: string; readonly revision: Omit<Revision, 'number'> },
): Promise<void> {
  const number = (known.at(-1)?.revision.number ?? 0) + 1;
  await client.call('POST', '/configs/create', {
    body: {
      Name: configNameFor(name, `revision.${number}`),
      Labels: { [NAMESPACE_LABEL]: name, [REVISION_LABEL]: String(number) },
      Data: gzipSync(JSON.stringify({ number, ...revision })).toString('base64'),
    },
  });
  for (const { id } of known.slice(0, Math.max(0, known.length + 1 - MAX_REVISIONS))) await removeConfig(client, id);
}

/** Labels say what it is; the name must fit into the 64 letters that one may have, and be no other stack's that begins the same. */
export function configNameFor(stack: string, what: string): string {
  const digest = createHash('sha256').update(stack).digest('hex').slice(0, 8);
  return `${stack.length <= 40 ? stack : `${stack.slice(0, 31)}-${digest}`}.${what}`;
}

/** One that somebody else has removed is gone as well. */
export async function removeConfig(client: Client, id: string): Promise<void> {
  await client.call('DELETE', `/configs/${segment(id)}`).catch((error: unknown) => {
    if (!(error instanceof AppError && error.code === 'notFound')) throw error;
  });
}

/** The stack as it is kept: files are named by the versions that its services use, and are there already when it is deployed again. */
export function withoutContents(stack: ResolvedStack, services: ResolvedStack['services']): ResolvedStack {
  return { ...stack, services, secrets: [], configs: [], warnings: [] };
}

/** A copy of the source without what secrets are made of. */
export function withoutSecretContents<P extends { readonly secrets?: Readonly<Record<string, unknown>> }>(project: P): P {
  if (project.secrets === undefined) return project;
  const secrets = Object.entries(project.secrets).map(([name, secret]) => {
    const { content: _content, ...rest } = (secret ?? {}) as Record<string, unknown>;
    return [name, rest] as const;
  });
  return { ...project, secrets: Object.fromEntries(secrets) };
}

/** The revision with that number, or with none the one before the last. */
export function chooseRevision(known: readonly StoredRevision[], stack: string, number: number | undefined): Revision {
  const chosen = number === undefined ? known.at(-2) : known.find(({ revision }) => revision.number === number);
  if (chosen !== undefined) return chosen.revision;
  const numbers = known.map(({ revision }) => revision.number).join(', ');
  const what = number === undefined ? 'no earlier revision' : `no revision ${number}`;
  throw new AppError('notFound', `${what} of stack ${stack}${numbers === '' ? '' : ` (there are: ${numbers})`}`);
}

/** Names of versions that a kept revision would need again. */
export function namesInRevisions(known: readonly StoredRevision[]): ReadonlySet<string> {
  const names = known.flatMap(({ revision }) =>
    revision.stack.services.flatMap(({ spec: { task } }) => {
      if (task.runtime.kind !== 'container') return [];
      const { secrets = [], configs = [] } = task.runtime.container;
      return [...secrets.map(({ secretName }) => secretName), ...configs.map(({ configName }) => configName)];
    }),
  );
  return new Set(names);
}
