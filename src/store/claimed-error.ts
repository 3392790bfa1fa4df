// What to tell somebody whose claim is held by another object, in Docker's words where Docker has some.
import type { StoreObject } from '#domain/objects.ts';
import type { Change, View } from '#domain/view.ts';
import { type AppError, rpcError } from '#lib/errors.ts';

/** The error for a claim that was refused; `changes` are those that asked for it. */
export function claimedError(claim: string, view: View, changes: readonly Change[]): AppError {
  const holder = view.claimant(claim);
  const object = holder && view.get(holder.kind, holder.id);
  return rpcError('alreadyExists', `${describe(claim, object)}${object ? '' : twiceInOneCommit(changes)}`);
}

function describe(claim: string, object: StoreObject | undefined): string {
  const [space = '', ...rest] = claim.split('/');
  const who = object ? nameOf(object) : '';
  switch (space) {
    case 'service':
      return `name conflicts with an existing object: service ${nameIn(object, rest)} already exists`;
    case 'secret':
    case 'config':
      return `${space} ${nameIn(object, rest)} already exists`;
    case 'network':
      if (rest[0] === 'ingress') return `ingress network${object ? ` (${object.id})` : ''} is already present`;
      return `network with name ${nameIn(object, rest)} already exists`;
    case 'port':
      return `port '${rest[1]}' is already in use${object ? ` by ${who} as an ingress port` : ''}`;
    case 'address':
      return `address ${rest[1]} of network ${rest[0]} is already in use${object ? ` by ${who}` : ''}`;
    case 'vxlan':
      return `VXLAN id ${rest[0]} is already in use${object ? ` by ${who}` : ''}`;
    case 'node':
      return `node index ${rest[1]} is already in use${object ? ` by ${who}` : ''}`;
    default:
      return `${claim} already exists`;
  }
}

function nameIn(object: StoreObject | undefined, rest: readonly string[]): string {
  return (object && 'name' in object.spec ? object.spec.name : undefined) ?? rest[1] ?? '';
}

function nameOf(object: StoreObject): string {
  if (object.kind === 'task') return `task ${object.id}${object.serviceName ? ` of service ${object.serviceName}` : ''}`;
  const name = 'name' in object.spec ? object.spec.name : undefined;
  return name ? `${object.kind} '${name}' (${object.id})` : `${object.kind} ${object.id}`;
}

function twiceInOneCommit(changes: readonly Change[]): string {
  return changes.length > 1 ? ' (asked for twice in one commit)' : '';
}
