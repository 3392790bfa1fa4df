// `X-Skep-Node: *`: lists and prunes of all nodes' engines in one answer. Each item says where it lives, in a field `Node` and, for programs that show only
// what Docker knows, in a label. Nodes that do not answer are named in a header and hold up nobody.
import type { Node } from '#domain/objects.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { engineError } from '#engine-link/link.ts';
import type { EngineLink, EngineResponse } from '#engine-link/connection.ts';
import { BACKING_LABEL } from '../routes/engine-networks.ts';
import type { Route, RouteContext, RouteRequest, RouteResult } from '../route.ts';
import { withSwarmNetworks } from './container-views.ts';
import { arrayAt, isObject, type JsonObject, objectAt } from './json-object.ts';
import { type OtherEngines, sparingBackingNetworks } from './other-engines.ts';
import { takeTaskFilter } from './task-filter.ts';
import { pruneVolumes } from './volume-prune.ts';

export const NODE_LABEL = 'com.docker.swarm.node.name';
/** "node2 (down), node3 (timeout)" */
export const MISSING_HEADER = 'X-Skep-Missing-Nodes';

/** A list that takes longer is not waited for; a prune takes as long as it takes. */
const LIST_TIMEOUT_MS = 10_000;
/** Clients take no answer whose headers are too long: Node's, 16 KiB together. */
const MAX_MISSING_TEXT = 8_000;

export interface AllNodes {
  readonly engineOf: (nodeId: string) => Promise<EngineLink>;
  readonly others: OtherEngines;
}

export function allNodesRoutes(all: AllNodes): readonly Route[] {
  const list = (path: string, merge: Merge): Route => ({ method: 'GET', path, handler: (request, context) => listAll(request, context, all, merge) });
  const prune = (path: string): Route => ({ method: 'POST', path, body: 'raw', handler: (request, context) => pruneAll(request, context, all) });
  return [
    list('/containers/json', mergeContainers),
    list('/images/json', (answers) => newestFirst(answers.flatMap(({ node, body }) => itemsOf(body).map((item) => onNode(item, node))))),
    list('/networks', mergeNetworks),
    list('/volumes', mergeVolumes),
    list('/system/df', mergeUsage),
    ...['/containers/prune', '/images/prune', '/networks/prune', '/volumes/prune', '/build/prune'].map(prune),
  ];
}

export function nodeName(node: Node | undefined): string {
  return node?.description?.hostname ?? node?.id ?? '';
}

interface Answer {
  readonly node: Node;
  readonly engine: EngineLink;
  readonly body: unknown;
}

interface Answers {
  readonly answers: readonly Answer[];
  readonly missing: readonly { readonly node: Node; readonly reason: string }[];
}

type Merge = (answers: readonly Answer[], request: RouteRequest, all: AllNodes, missing: Answers['missing']) => unknown;

async function listAll(request: RouteRequest, context: RouteContext, all: AllNodes, merge: Merge): Promise<RouteResult> {
  const { method, path, apiVersion } = request;
  const tasks = path === '/containers/json' ? takeTaskFilter(request.query) : undefined;
  const query = tasks?.query ?? request.query;
  const late = new AbortController();
  const cancel = context.clock.schedule(LIST_TIMEOUT_MS, () => late.abort(new Error('it does not answer in time')));
  try {
    const signal = AbortSignal.any([request.signal, late.signal]);
    const { answers, missing } = await askAll(context, all, (engine) => engine.request({ method, path, query, apiVersion, signal }));
    const chosen = tasks ? answers.map((answer) => ({ ...answer, body: tasks.select(itemsOf(answer.body)) })) : answers;
    return { kind: 'json', status: 200, value: await merge(chosen, request, all, missing), headers: missingHeader(missing) };
  } finally {
    cancel();
  }
}

/** Asks the engines of all nodes side by side. Throws what one of them said when none could do it. */
async function askAll({ membership }: RouteContext, { engineOf }: AllNodes, ask: (engine: EngineLink) => Promise<EngineResponse>): Promise<Answers> {
  const answers: Answer[] = [];
  const missing: { readonly node: Node; readonly reason: string }[] = [];
  let refusal: AppError | undefined;
  const askNode = async (node: Node) => {
    if (node.status.state !== 'ready') return void missing.push({ node, reason: node.status.state });
    try {
      const engine = await engineOf(node.id);
      const { status, body } = await ask(engine);
      if (status >= 400) throw (refusal = engineError(status, body));
      answers.push({ node, engine, body });
    } catch (error) {
      missing.push({ node, reason: errorMessage(error) });
    }
  };
  await Promise.all(membership.control().nodes.list({}).map(askNode));
  if (answers.length === 0) throw refusal ?? new AppError('unavailable', `no node answers: ${missingText(missing)}`);
  const byName = (a: { readonly node: Node }, b: { readonly node: Node }) => (nodeName(a.node) < nodeName(b.node) ? -1 : 1);
  return { answers: answers.sort(byName), missing: missing.sort(byName) };
}

function missingText(missing: Answers['missing']): string {
  return missing.map(({ node, reason }) => `${nodeName(node)} (${reason})`).join(', ');
}

function missingHeader(missing: Answers['missing']): Readonly<Record<string, string>> {
  if (missing.length === 0) return {};
  const text = missingText(missing).replaceAll(/[^\x20-\x7e]/g, '?');
  return { [MISSING_HEADER]: text.length <= MAX_MISSING_TEXT ? text : `${text.slice(0, MAX_MISSING_TEXT)}... (${missing.length} nodes in all)` };
}

/** The same object with where it lives. */
export function onNode(item: JsonObject, node: Node): JsonObject {
  const name = nodeName(node);
  return { ...item, Node: { ID: node.id, Name: name }, Labels: { ...objectAt(item, 'Labels'), [NODE_LABEL]: name } };
}

function itemsOf(body: unknown): readonly JsonObject[] {
  return Array.isArray(body) ? body.filter(isObject) : [];
}

/** As each engine orders its own. */
function newestFirst(items: readonly JsonObject[]): readonly JsonObject[] {
  return items.toSorted((a, b) => Number(b['Created']) - Number(a['Created']));
}

async function mergeContainers(answers: readonly Answer[], { query }: RouteRequest, { others }: AllNodes): Promise<readonly JsonObject[]> {
  const containers = await Promise.all(
    answers.map(async ({ node, engine, body }) => {
      const shown: JsonObject[] = [];
      for (const container of itemsOf(body)) shown.push(onNode(await withSwarmNetworks(container, others.backingOf(engine)), node));
      return shown;
    }),
  );
  // Each engine has given as many as are wanted of all.
  const limit = Number(query.get('limit') ?? 0);
  return newestFirst(containers.flat()).slice(0, limit > 0 ? limit : undefined);
}

/** The engines' own; what carries a swarm network on a node is no network of a user's. */
function mergeNetworks(answers: readonly Answer[]): readonly JsonObject[] {
  return answers.flatMap(({ node, body }) =>
    itemsOf(body)
      .filter((network) => objectAt(network, 'Labels')[BACKING_LABEL] === undefined)
      .map((network) => onNode(network, node)),
  );
}

function mergeVolumes(answers: readonly Answer[], _request: RouteRequest, _all: AllNodes, missing: Answers['missing']): JsonObject {
  const warnings = answers.flatMap(({ body }) => (isObject(body) && Array.isArray(body['Warnings']) ? (body['Warnings'] as readonly unknown[]) : []));
  return {
    Volumes: answers.flatMap(({ node, body }) => arrayAt(body, 'Volumes').map((volume) => onNode(volume, node))),
    Warnings: [...warnings, ...missing.map(({ node, reason }) => `node ${nodeName(node)} does not answer: ${reason}`)],
  };
}

const usageLists = ['Images', 'Containers', 'Volumes', 'BuildCache'] as const;

function mergeUsage(answers: readonly Answer[]): JsonObject {
  const asked = usageLists.filter((key) => answers.some(({ body }) => isObject(body) && body[key] !== undefined));
  return {
    ...sums(answers, ['LayersSize', 'BuilderSize']),
    ...Object.fromEntries(asked.map((key) => [key, answers.flatMap(({ node, body }) => arrayAt(body, key).map((item) => onNode(item, node)))])),
  };
}

function sums(answers: readonly Answer[], keys: readonly string[]): JsonObject {
  const numberAt = (body: unknown, key: string) => (isObject(body) && typeof body[key] === 'number' ? body[key] : undefined);
  const present = keys.filter((key) => answers.some(({ body }) => numberAt(body, key) !== undefined));
  return Object.fromEntries(present.map((key) => [key, answers.reduce((sum, { body }) => sum + (numberAt(body, key) ?? 0), 0)]));
}

const deletedLists = ['ContainersDeleted', 'ImagesDeleted', 'NetworksDeleted', 'VolumesDeleted', 'CachesDeleted'] as const;

async function pruneAll(request: RouteRequest, context: RouteContext, all: AllNodes): Promise<RouteResult> {
  const { answers, missing } = await askAll(context, all, (engine) => pruneOne(request, engine));
  const nodes = answers.map(({ node, body }) => ({ ID: node.id, Name: nodeName(node), ...(isObject(body) ? body : {}) }));
  const present = deletedLists.filter((key) => answers.some(({ body }) => isObject(body) && key in body));
  const value = {
    ...Object.fromEntries(present.map((key) => [key, answers.flatMap(({ body }) => (isObject(body) && Array.isArray(body[key]) ? body[key] : []))])),
    ...sums(answers, ['SpaceReclaimed']),
    Nodes: nodes,
  };
  return { kind: 'json', status: 200, value, headers: missingHeader(missing) };
}

async function pruneOne(request: RouteRequest, engine: EngineLink): Promise<EngineResponse> {
  const { method, path, query, apiVersion, signal } = request;
  const translated = path === '/volumes/prune' ? await pruneVolumes(request, engine) : undefined;
  if (translated?.kind === 'json') return { status: translated.status, headers: {}, body: translated.value };
  const translatedQuery = translated?.kind === 'engine' ? (translated.query ?? query) : query;
  const asked = path === '/networks/prune' ? sparingBackingNetworks(query) : translatedQuery;
  return engine.request({ method, path, query: asked, apiVersion, signal });
}
