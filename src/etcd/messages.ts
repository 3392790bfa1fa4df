// What is said to etcd and what it answers: first as this program has it, then as it comes off the wire.

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface RangeRequest {
  readonly key: string;
  /** True: all keys that begin with `key`. Text: from `key` to the last that begins with this. */
  readonly prefix?: boolean | string;
  readonly limit?: number;
  /** 0: the newest. */
  readonly revision?: number;
  /** From the local member's memory, without asking the others: it may be old. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
}

export interface RangeResult {
  readonly revision: number;
  readonly items: readonly KeyValue[];
  readonly more: boolean;
}

/** `createRevision: 0`: the key must not exist. */
export type Condition = { readonly key: string; readonly modRevision: number } | { readonly key: string; readonly createRevision: number };

/** Without a value: delete. */
export type Operation = { readonly key: string; readonly value: string; readonly lease?: string } | { readonly key: string };

export interface TxnRequest {
  readonly compare: readonly Condition[];
  readonly success: readonly Operation[];
  /** Keys to look at when a condition does not hold. */
  readonly failure?: readonly string[];
  /** With their values. */
  readonly readValues?: boolean;
}

export interface TxnResult {
  readonly succeeded: boolean;
  readonly revision: number;
  /** One per key of `failure`, in order; empty where the key does not exist. */
  readonly reads: readonly (readonly KeyValue[])[];
}

export interface WatchRequest {
  readonly prefix: string;
  readonly startRevision: number;
}

export interface WatchEvent extends KeyValue {
  readonly isDelete: boolean;
}

export type WatchMessage =
  | { readonly kind: 'created' }
  | { readonly kind: 'events'; readonly events: readonly WatchEvent[] }
  /** Everything up to this revision has been told. */
  | { readonly kind: 'progress'; readonly revision: number }
  /** With a compactRevision, what was asked for does not exist any more. */
  | { readonly kind: 'cancelled'; readonly compactRevision: number; readonly reason: string };

export interface Member {
  readonly id: string;
  /** Empty until the member has started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberStatus {
  readonly memberId: string;
  /** Undefined while this member knows of none. */
  readonly leaderId: string | undefined;
  readonly term: number;
  readonly isLearner: boolean;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  /** Such as an exceeded quota. */
  readonly errors: readonly string[];
}

export interface WireHeader {
  readonly memberId: string;
  readonly revision: string;
}

export interface WireKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: string;
  readonly modRevision: string;
}

export interface WireRange {
  readonly header: WireHeader;
  readonly kvs: readonly WireKeyValue[];
  readonly more: boolean;
}

export interface WireTxn {
  readonly header: WireHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly range?: { readonly kvs: readonly WireKeyValue[] } }[];
}

export interface WireWatch {
  readonly header: WireHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: 'PUT' | 'DELETE'; readonly kv: WireKeyValue }[];
}

export type WireMember = Member;

export interface WireStatus {
  readonly header: WireHeader;
  readonly leader: string;
  readonly raftTerm: string;
  readonly isLearner: boolean;
  readonly dbSize: string;
  readonly dbSizeInUse: string;
  readonly errors: readonly string[];
}
