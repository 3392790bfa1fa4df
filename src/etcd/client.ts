// A connection to the etcd member of this machine, over the socket that it serves in its folder. Numbers that may exceed 2^53 (ids) are decimal text;
// revisions are numbers.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import type * as ProtoLoader from '@grpc/proto-loader';
import { AppError, type ErrorCode } from '#lib/errors.ts';
import type {
  KeyValue,
  Member,
  MemberStatus,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
  WatchMessage,
  WatchRequest,
  WireHeader,
  WireKeyValue,
  WireMember,
  WireRange,
  WireStatus,
  WireTxn,
  WireWatch,
} from './messages.ts';

export interface EtcdClient {
  range(request: RangeRequest): Promise<RangeResult>;
  txn(request: TxnRequest, timeoutMs?: number): Promise<TxnResult>;
  /** Events from `startRevision` on, in order, whole revisions at a time. Ends or throws when the connection does. */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchMessage>;
  /** Resolves with the lease's id. */
  grantLease(ttlSeconds: number): Promise<string>;
  /** Resolves with false when the lease has ended. */
  keepLease(id: string): Promise<boolean>;
  revokeLease(id: string): Promise<void>;
  members(): Promise<readonly Member[]>;
  /** Adds a learner; resolves with its id. */
  addLearner(peerUrl: string): Promise<string>;
  promoteMember(id: string): Promise<void>;
  /** Removing what is not there is no error. */
  removeMember(id: string): Promise<void>;
  updateMember(id: string, peerUrl: string): Promise<void>;
  /** What this member knows by itself: it answers without a quorum too. */
  status(): Promise<MemberStatus>;
  /** Only on the member that leads. */
  moveLeader(targetId: string): Promise<void>;
  /** Forgets what was before the revision, on all members; resolves when this one has given the room back to its file. What is forgotten already is no error. */
  compact(revision: number): Promise<void>;
  defragment(): Promise<void>;
  /** Lifts the alarm of a quota that was exceeded. */
  disarm(memberId: string): Promise<void>;
  close(): void;
}

/** etcd gives up a request after 5 s and twice the election timeout by itself. */
const CALL_TIMEOUT_MS = 7_000;
/** Of calls that the local member answers alone. */
const LOCAL_TIMEOUT_MS = 2_000;
/** The member's files are rewritten while it blocks. */
const DEFRAGMENT_TIMEOUT_MS = 120_000;

/** etcd's number for it. */
const NOSPACE = 1;

let loaded: ProtoLoader.PackageDefinition | undefined;

/** Loaded at the first call: a manager alone has no etcd, and the library takes 5 MB. */
function definition(): ProtoLoader.PackageDefinition {
  loaded ??= (createRequire(import.meta.url)('@grpc/proto-loader') as typeof ProtoLoader).loadSync(join(import.meta.dirname, 'etcd.proto'), {
    longs: String,
    enums: String,
    defaults: true,
    arrays: true,
  });
  return loaded;
}

type Method = MethodDefinition<object, object>;

function method(service: string, name: string): Method {
  const methods = definition()[`etcdserverpb.${service}`] as unknown as Readonly<Record<string, Method>>;
  const found = methods[name];
  if (found === undefined) throw new Error(`etcd.proto has no ${service}.${name}`);
  return found;
}

const channelOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
};

/** The member answers at once with "no leader" instead of waiting for one. */
function requireLeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}

/** `socketPath` is absolute. Nothing is connected before the first call. */
export function createEtcdClient(socketPath: string): EtcdClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), channelOptions);

  function unary<T>({ path, requestSerialize, responseDeserialize }: Method, request: object, timeoutMs = CALL_TIMEOUT_MS, metadata = new Metadata()) {
    return new Promise<T>((resolve, reject) => {
      const options = { deadline: Date.now() + timeoutMs };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, (error: ServiceError | null, response?: object) => {
        if (error === null) resolve(response as T);
        else reject(etcdError(error));
      });
    });
  }

  return {
    async range({ key, prefix = false, limit = 0, revision = 0, serializable = false, keysOnly = false }) {
      const request = {
        key: Buffer.from(key),
        rangeEnd: prefix ? endOfPrefix(prefix === true ? key : prefix) : undefined,
        limit,
        revision,
        serializable,
        keysOnly,
      };
      return rangeResult(await unary<WireRange>(method('KV', 'Range'), request, serializable ? LOCAL_TIMEOUT_MS : CALL_TIMEOUT_MS));
    },
    async txn({ compare, success, failure = [], readValues = false }, timeoutMs) {
      const request = {
        compare: compare.map(({ key, ...rest }) => ({
          result: 'EQUAL',
          key: Buffer.from(key),
          ...('modRevision' in rest ? { target: 'MOD' } : { target: 'CREATE' }),
          ...rest,
        })),
        success: success.map(wireOperation),
        failure: failure.map((key) => ({ range: { key: Buffer.from(key), keysOnly: !readValues } })),
      };
      const { header, succeeded, responses } = await unary<WireTxn>(method('KV', 'Txn'), request, timeoutMs, requireLeader());
      return {
        succeeded,
        revision: Number(header.revision),
        reads: succeeded ? [] : responses.map(({ range }) => (range === undefined ? [] : range.kvs.map(keyValue))),
      };
    },
    async *watch({ prefix, startRevision }, signal) {
      const { path, requestSerialize, responseDeserialize } = method('Watch', 'Watch');
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted) cancel();
      call.write({ create: { key: Buffer.from(prefix), rangeEnd: endOfPrefix(prefix), startRevision, progressNotify: true } });
      try {
        for await (const message of call as AsyncIterable<WireWatch>) yield watchMessage(message);
      } catch (error) {
        if (!signal.aborted) throw etcdError(error as ServiceError);
      } finally {
        signal.removeEventListener('abort', cancel);
        call.cancel();
      }
    },
    async grantLease(ttl) {
      return (await unary<{ readonly id: string }>(method('Lease', 'LeaseGrant'), { ttl, id: 0 }, CALL_TIMEOUT_MS, requireLeader())).id;
    },
    keepLease: (id) => keepLease(client, id),
    async revokeLease(id) {
      await unary(method('Lease', 'LeaseRevoke'), { id }, LOCAL_TIMEOUT_MS, requireLeader());
    },
    async members() {
      return (await unary<{ readonly members: readonly WireMember[] }>(method('Cluster', 'MemberList'), {}, LOCAL_TIMEOUT_MS)).members;
    },
    async addLearner(peerUrl) {
      return (await unary<{ readonly member: WireMember }>(method('Cluster', 'MemberAdd'), { peerUrls: [peerUrl], isLearner: true })).member.id;
    },
    async promoteMember(id) {
      await unary(method('Cluster', 'MemberPromote'), { id });
    },
    async removeMember(id) {
      // Somebody else may have been faster: lists of members come from the local member's memory.
      await unary(method('Cluster', 'MemberRemove'), { id }).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.code !== 'notFound') throw error;
      });
    },
    async updateMember(id, peerUrl) {
      await unary(method('Cluster', 'MemberUpdate'), { id, peerUrls: [peerUrl] });
    },
    async status() {
      return memberStatus(await unary<WireStatus>(method('Maintenance', 'Status'), {}, LOCAL_TIMEOUT_MS));
    },
    async moveLeader(id) {
      await unary(method('Maintenance', 'MoveLeader'), { id });
    },
    async compact(revision) {
      await unary(method('KV', 'Compact'), { revision, physical: true }, DEFRAGMENT_TIMEOUT_MS).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.code !== 'outOfRange') throw error;
      });
    },
    async defragment() {
      await unary(method('Maintenance', 'Defragment'), {}, DEFRAGMENT_TIMEOUT_MS);
    },
    async disarm(memberId) {
      await unary(method('Maintenance', 'Alarm'), { action: 'DEACTIVATE', memberId, alarm: NOSPACE });
    },
    close: () => client.close(),
  };
}

/** One question on a stream of its own: it is asked about once a second. */
function keepLease(client: Client, id: string): Promise<boolean> {
  const { path, requestSerialize, responseDeserialize } = method('Lease', 'LeaseKeepAlive');
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, requireLeader(), { deadline: Date.now() + LOCAL_TIMEOUT_MS });
  return new Promise((resolve, reject) => {
    call.once('data', (answer: { readonly ttl: string }) => {
      resolve(Number(answer.ttl) > 0);
      call.end();
      call.cancel();
    });
    call.on('error', (error: ServiceError) => reject(etcdError(error)));
    call.on('end', () => reject(new AppError('unavailable', 'etcd: the stream ended without an answer')));
    call.write({ id });
  });
}

function wireOperation(operation: TxnRequest['success'][number]): object {
  const key = Buffer.from(operation.key);
  if (!('value' in operation)) return { delete: { key } };
  return { put: { key, value: Buffer.from(operation.value), lease: operation.lease ?? 0 } };
}

/** The first key after all that begin with the prefix. */
export function endOfPrefix(prefix: string): Buffer {
  const bytes = Buffer.from(prefix);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) + 1, bytes.length - 1);
  return bytes;
}

function keyValue({ key, value, createRevision, modRevision }: WireKeyValue): KeyValue {
  return { key: key.toString(), value: value.toString(), createRevision: Number(createRevision), modRevision: Number(modRevision) };
}

function rangeResult({ header, kvs, more }: WireRange): RangeResult {
  return { revision: Number(header.revision), items: kvs.map(keyValue), more };
}

function watchMessage({ header, created, canceled, compactRevision, cancelReason, events }: WireWatch): WatchMessage {
  if (canceled) return { kind: 'cancelled', compactRevision: Number(compactRevision), reason: cancelReason };
  if (created) return { kind: 'created' };
  if (events.length === 0) return { kind: 'progress', revision: headerRevision(header) };
  return { kind: 'events', events: events.map(({ type, kv }) => ({ isDelete: type === 'DELETE', ...keyValue(kv) })) };
}

function headerRevision(header: WireHeader): number {
  return Number(header.revision);
}

function memberStatus({ header, leader, raftTerm, isLearner, dbSize, dbSizeInUse, errors }: WireStatus): MemberStatus {
  return {
    memberId: header.memberId,
    leaderId: leader === '0' ? undefined : leader,
    term: Number(raftTerm),
    isLearner,
    dbSize: Number(dbSize),
    dbSizeInUse: Number(dbSizeInUse),
    errors,
  };
}

const codes: Partial<Record<status, ErrorCode>> = {
  [status.UNAVAILABLE]: 'unavailable',
  [status.DEADLINE_EXCEEDED]: 'deadlineExceeded',
  [status.RESOURCE_EXHAUSTED]: 'resourceExhausted',
  [status.INVALID_ARGUMENT]: 'invalidArgument',
  [status.FAILED_PRECONDITION]: 'failedPrecondition',
  [status.NOT_FOUND]: 'notFound',
  [status.OUT_OF_RANGE]: 'outOfRange',
  [status.CANCELLED]: 'aborted',
};

function etcdError(error: ServiceError): AppError {
  return new AppError(codes[error.code] ?? 'internal', `etcd: ${(error.details || error.message).replace(/^etcdserver: /, '')}`, { cause: error });
}

/** The member knew of no leader and did nothing: the call may be repeated. */
export function isNoLeader(error: unknown): boolean {
  return error instanceof AppError && error.message === 'etcd: no leader';
}
