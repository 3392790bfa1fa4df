// How the store's contents lie in etcd: `<prefix>o/<kind>/<id>` is an object as JSON, `<prefix>c/<claim>` names the claim's holder, `<prefix>meta` says
// how etcd's revisions become the store's.
import type { ObjectKind, StoreObject } from '#domain/objects.ts';
import { objectKinds } from '#domain/objects.ts';
import { AppError } from '#lib/errors.ts';
import { readChecked } from '../checked-json.ts';

export const DEFAULT_PREFIX = 'skep/';

export interface Keys {
  readonly objects: string;
  readonly claims: string;
  readonly meta: string;
  object(kind: ObjectKind, id: string): string;
  claim(claim: string): string;
}

export interface Meta {
  readonly format: 1;
  /**
   * What is added to etcd's revision to make the store's. A swarm that began in another engine had revisions already; they go on from there, so that every
   * version that a client holds stays what it was.
   */
  readonly base: number;
}

export interface Holder {
  readonly kind: ObjectKind;
  readonly id: string;
}

export function keysUnder(prefix: string): Keys {
  return {
    objects: `${prefix}o/`,
    claims: `${prefix}c/`,
    meta: `${prefix}meta`,
    object: (kind, id) => `${prefix}o/${kind}/${id}`,
    claim: (claim) => `${prefix}c/${claim}`,
  };
}

export function parseObject(key: string, text: string): StoreObject {
  try {
    const object = readChecked(text) as StoreObject;
    if (objectKinds.includes(object.kind)) return object;
  } catch (error) {
    throw new AppError('dataLoss', `what etcd holds under ${key} on this manager is damaged`, { cause: error });
  }
  throw new AppError('internal', `etcd holds an object of an unknown kind under ${key}: it was written by a newer version of this program`);
}

export function parseHolder(text: string): Holder {
  const separator = text.indexOf('/');
  return { kind: text.slice(0, separator) as ObjectKind, id: text.slice(separator + 1) };
}

export function holderText({ kind, id }: Holder): string {
  return `${kind}/${id}`;
}

export function parseMeta(text: string | undefined): Meta {
  if (text === undefined) return { format: 1, base: 0 };
  const meta = JSON.parse(text) as { readonly format: number; readonly base: number };
  if (meta.format !== 1)
    throw new AppError('failedPrecondition', `the store in etcd has format ${meta.format}, which a newer version of this program wrote; upgrade this manager`);
  return { format: 1, base: meta.base };
}
