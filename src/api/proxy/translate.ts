// What a client of a newer API asks of an older engine. An older engine drops fields that it does not know without a word, so a field that
// changes what a user gets is put another way where there is one, refused where dropping it would do something else than asked, and told as a
// warning where it only makes something less good. Pure. Source of the versions: the Engine API's version history.
import { AppError } from '#lib/errors.ts';
import { versionText } from '../version.ts';
import { arrayAt, isObject, type JsonObject, objectAt, textAt, without } from './json-object.ts';

export interface Versions {
  readonly client: number;
  readonly engine: number;
}

/** An endpoint that is connected after the container was created. */
export interface LateEndpoint {
  readonly network: string;
  readonly config: JsonObject;
}

export interface CreateTranslation {
  readonly body: JsonObject;
  readonly connect: readonly LateEndpoint[];
  readonly warnings: readonly string[];
}

/** True when the client may use what came with API 1.`since` and the engine does not know it. */
function isLost(since: number, { client, engine }: Versions): boolean {
  return client >= since && engine < since;
}

function refusal(what: string, since: number, { engine }: Versions): AppError {
  return new AppError('invalidArgument', `${what} needs an engine with API ${versionText(since)} or newer; the engine of this node has ${versionText(engine)}`);
}

function warning(what: string, since: number, { engine }: Versions): string {
  return `${what} was ignored: it needs an engine with API ${versionText(since)} or newer; the engine of this node has ${versionText(engine)}`;
}

/** Body of `POST /containers/create`. Throws AppError `invalidArgument` for what an older engine would silently do differently. */
export function translateCreate(body: JsonObject, versions: Versions): CreateTranslation {
  const mounts = arrayAt(body['HostConfig'], 'Mounts');
  refuseLostMountOptions(mounts, versions);
  const warnings: string[] = [];
  if (isLost(44, versions) && Number(objectAt(body, 'Healthcheck')['StartInterval'] ?? 0) !== 0)
    warnings.push(warning('Healthcheck.StartInterval', 44, versions));
  if (isLost(43, versions) && Object.keys(objectAt(body, 'HostConfig', 'Annotations')).length > 0)
    warnings.push(warning('HostConfig.Annotations', 43, versions));
  const endpoints = Object.entries(objectAt(body, 'NetworkingConfig', 'EndpointsConfig'));
  if (isLost(48, versions) && endpoints.some(([, config]) => Number((isObject(config) && config['GwPriority']) || 0) !== 0))
    warnings.push(warning('GwPriority', 48, versions));
  return { ...translateEndpoints(body, versions), warnings };
}

function refuseLostMountOptions(mounts: readonly JsonObject[], versions: Versions): void {
  for (const mount of mounts) {
    if (isLost(45, versions) && textAt(mount['VolumeOptions'], 'Subpath') !== '') throw refusal('VolumeOptions.Subpath of a mount', 45, versions);
    if (isLost(44, versions) && objectAt(mount, 'BindOptions')['ReadOnlyForceRecursive'] === true)
      throw refusal('BindOptions.ReadOnlyForceRecursive of a mount', 44, versions);
    const tmpfs = objectAt(mount, 'TmpfsOptions')['Options'];
    if (isLost(46, versions) && Array.isArray(tmpfs) && tmpfs.length > 0) throw refusal('TmpfsOptions.Options of a mount', 46, versions);
  }
}

/** One endpoint may be given at creation before API 1.44, and its MAC address is a field of the container's. */
function translateEndpoints(body: JsonObject, versions: Versions): { readonly body: JsonObject; readonly connect: readonly LateEndpoint[] } {
  const endpoints = Object.entries(objectAt(body, 'NetworkingConfig', 'EndpointsConfig')).map(
    ([network, config]): LateEndpoint => ({ network, config: isObject(config) ? config : {} }),
  );
  if (!isLost(44, versions) || endpoints.length === 0) return { body, connect: [] };
  const mode = textAt(body['HostConfig'], 'NetworkMode');
  const first = endpoints.length === 1 ? endpoints[0] : endpoints.find(({ network }) => network === mode);
  const connect = endpoints.filter((endpoint) => endpoint !== first);
  for (const { config } of connect) refuseLostMacAddress(config, versions);
  const mac = first ? textAt(first.config, 'MacAddress') : '';
  if (connect.length === 0 && mac === '') return { body, connect: [] };
  const kept = first ? { [first.network]: without(first.config, 'MacAddress') } : {};
  return {
    body: { ...body, ...(mac === '' ? {} : { MacAddress: mac }), NetworkingConfig: { ...objectAt(body, 'NetworkingConfig'), EndpointsConfig: kept } },
    connect,
  };
}

/** An older engine takes the MAC address of an endpoint for something it reports, and ignores it. */
export function refuseLostMacAddress(endpoint: JsonObject, versions: Versions): void {
  if (isLost(44, versions) && textAt(endpoint, 'MacAddress') !== '') throw refusal('A MAC address for a network that is connected later', 44, versions);
}

/** Body of `POST /networks/create` of an engine's own network. Newer clients leave the check for duplicate names to the engine, which made it optional once. */
export function translateNetworkCreate(body: JsonObject, versions: Versions): JsonObject {
  if (isLost(48, versions) && body['EnableIPv4'] === false) throw refusal('A network without IPv4', 48, versions);
  return isLost(44, versions) ? { ...body, CheckDuplicate: true } : body;
}
