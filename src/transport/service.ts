// The calls that nodes make to managers, over gRPC on one port. Who may call what is checked in server.ts: `Certificates` is open to nodes that
// have no certificate yet, everything else is for nodes of the swarm.
import type { Metadata, ServiceDefinition } from '@grpc/grpc-js';
import type { Trust } from '#ca/rotation.ts';
import type { NodeDescription } from '#domain/objects.ts';
import type { NodeAvailability, NodeRole } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { type SessionMessage, type TaskStatusUpdate, type TunnelTarget, tunnelTargets } from '#protocol/messages.ts';
import { decode, encode } from './codec.ts';

export interface IssueRequest {
  /** PEM of a certificate request. */
  readonly request: string;
  /** Of a node that joins; a node that has a certificate proves itself with that. */
  readonly token?: string;
  readonly availability?: NodeAvailability;
  /** Why the machine cannot be a manager, in words for its user; the managers say that back when the token is a manager's. */
  readonly cannotManage?: string;
  /** What the node's clock shows, in milliseconds since the epoch. */
  readonly now?: number;
  /** host:port at which the other managers would reach it, were it one of them. */
  readonly advertiseAddr?: string;
  /** protocol/level.ts */
  readonly level?: number;
}

export interface IssuedCertificate {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly clusterId: string;
  readonly dataPathPort: number;
  /** PEM, with the root's after it. */
  readonly certificate: string;
  /** Where the swarm's managers are, the leader first: the one that was asked may not be it. Absent from a manager that is older than this. */
  readonly managers?: readonly { readonly nodeId: string; readonly address: string }[];
}

export interface JoinManagersRequest {
  /** PEM of a request for a certificate of etcd's authority. */
  readonly request: string;
  /** host:port */
  readonly advertiseAddr: string;
  /** protocol/level.ts */
  readonly level?: number;
}

/** What only managers know. */
export interface JoinManagersResponse {
  readonly dataKey: Uint8Array;
  /** Present while the swarm is autolocked. */
  readonly unlockKey?: Uint8Array;
  /** PEM of etcd's authority, and the certificate that it signed. */
  readonly authority: string;
  readonly certificate: string;
  /** etcd's members, as it wants to be told of them. */
  readonly initialCluster: string;
}

/** Requests and answers by method; streams are named in the definition. */
export interface Calls {
  readonly rootCertificate: { readonly request: object; readonly response: { readonly certificate: string } };
  readonly issueCertificate: { readonly request: IssueRequest; readonly response: IssuedCertificate };
  readonly trust: { readonly request: object; readonly response: Trust };
  /** The node leaves the swarm: it is down from now on. */
  readonly leave: { readonly request: object; readonly response: object };
  readonly joinManagers: { readonly request: JoinManagersRequest; readonly response: JoinManagersResponse };
  readonly confirmManager: { readonly request: object; readonly response: object };
  /** A manager that does not lead asks for a node's tunnel to itself. */
  readonly askTunnel: { readonly request: { readonly nodeId: string; readonly id: string; readonly to: TunnelTarget }; readonly response: object };
  readonly session: { readonly request: { readonly description: NodeDescription }; readonly response: SessionMessage };
  readonly reportStatus: { readonly request: { readonly sessionId: string; readonly updates: readonly TaskStatusUpdate[] }; readonly response: object };
  readonly reportDescription: { readonly request: { readonly sessionId: string; readonly description: NodeDescription }; readonly response: object };
  readonly reportNetworkApplied: { readonly request: { readonly sessionId: string; readonly version: number }; readonly response: object };
  readonly heartbeat: { readonly request: { readonly sessionId: string }; readonly response: object };
}

function method(path: string, stream: { readonly request?: boolean; readonly response?: boolean } = {}) {
  return {
    path: `/skep.v1.${path}`,
    requestStream: stream.request ?? false,
    responseStream: stream.response ?? false,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  };
}

/** Frames of a tunnel are bytes already. */
const bytes = (frame: Buffer) => frame;

export const managerService = {
  rootCertificate: method('Certificates/Root'),
  issueCertificate: method('Certificates/Issue'),
  trust: method('Certificates/Trust', { response: true }),
  leave: method('Dispatcher/Leave'),
  joinManagers: method('Managers/Join'),
  confirmManager: method('Managers/Confirm'),
  askTunnel: method('Managers/AskTunnel'),
  session: method('Dispatcher/Session', { response: true }),
  reportStatus: method('Dispatcher/ReportStatus'),
  reportDescription: method('Dispatcher/ReportDescription'),
  reportNetworkApplied: method('Dispatcher/ReportNetworkApplied'),
  heartbeat: method('Dispatcher/Heartbeat'),
  tunnel: {
    ...method('Dispatcher/Tunnel', { request: true, response: true }),
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
  relay: {
    ...method('Managers/Relay', { request: true, response: true }),
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
} as const satisfies ServiceDefinition;

/** Metadata key that says which tunnel a Tunnel call is the other end of. */
export const TUNNEL_ID = 'skep-tunnel-id';
/** Metadata key of a Relay call: the node whose engine another manager wants to speak with, through the leader. */
export const RELAY_NODE = 'skep-relay-node';
/** And what of the node it wants to speak with, when that is not the engine. */
export const RELAY_TARGET = 'skep-relay-target';

/** A manager of an older version wants nothing but engines. */
export function relayTarget(metadata: Metadata): TunnelTarget {
  return tunnelTarget(String(metadata.get(RELAY_TARGET)[0] ?? 'engine'));
}

/** Throws AppError `unimplemented` for one of a newer version. */
export function tunnelTarget(asked: unknown): TunnelTarget {
  const target = tunnelTargets.find((known) => known === asked);
  if (target === undefined) throw new AppError('unimplemented', `this manager knows no tunnel to ${JSON.stringify(asked)}`);
  return target;
}

/** Metadata key of a Session call: which run of a daemon calls. */
export const INSTANCE = 'skep-instance';
/** The name that every manager's certificate carries (ca/node-certificate.ts): clients check it instead of an address. */
export const MANAGER_NAME = 'swarm-manager';
/** The largest message: a complete set of assignments with many large secrets. */
export const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
/**
 * An idle connection is asked for a sign of life, and is dead when none comes: a node or manager that was cut off is noticed within the sum of both.
 * A process that is busy for less than the second number is not taken for dead.
 */
export const KEEPALIVE_MS = 750;
export const KEEPALIVE_TIMEOUT_MS = 1_500;
