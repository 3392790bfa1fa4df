// The JSON of the swarm itself: its spec, and the requests to make, join and unlock one.
import type { ObjectMeta } from './meta.ts';
import type { TlsInfo } from './node.ts';
import { driverShape } from './service-spec.ts';
import { bool, duration, type Infer, int64, list, named, string, stringMap, strings, struct, uint32, uint64 } from './shape.ts';

export const swarmSpecShape = struct('Spec', {
  Name: string,
  Labels: stringMap,
  Orchestration: struct('OrchestrationConfig', { TaskHistoryRetentionLimit: int64 }),
  Raft: struct('RaftConfig', {
    SnapshotInterval: uint64,
    KeepOldSnapshots: uint64,
    LogEntriesForSlowFollowers: uint64,
    ElectionTick: int64,
    HeartbeatTick: int64,
  }),
  Dispatcher: struct('DispatcherConfig', { HeartbeatPeriod: duration }),
  CAConfig: struct('CAConfig', {
    NodeCertExpiry: duration,
    ExternalCAs: list(struct('ExternalCA', { Protocol: named('swarm.ExternalCAProtocol'), URL: string, Options: stringMap, CACert: string })),
    SigningCACert: string,
    SigningCAKey: string,
    ForceRotate: uint64,
  }),
  TaskDefaults: struct('TaskDefaults', { LogDriver: driverShape }),
  EncryptionConfig: struct('EncryptionConfig', { AutoLockManagers: bool }),
});

export const initRequestShape = struct('InitRequest', {
  ListenAddr: string,
  AdvertiseAddr: string,
  DataPathAddr: string,
  DataPathPort: uint32,
  ForceNewCluster: bool,
  Spec: swarmSpecShape,
  AutoLockManagers: bool,
  Availability: named('swarm.NodeAvailability'),
  DefaultAddrPool: strings,
  SubnetSize: uint32,
});

export const joinRequestShape = struct('JoinRequest', {
  ListenAddr: string,
  AdvertiseAddr: string,
  DataPathAddr: string,
  RemoteAddrs: strings,
  JoinToken: string,
  Availability: named('swarm.NodeAvailability'),
});

export const unlockRequestShape = struct('UnlockRequest', { UnlockKey: string });

export type SwarmSpec = Infer<typeof swarmSpecShape>;
export type InitRequest = Infer<typeof initRequestShape>;
export type JoinRequest = Infer<typeof joinRequestShape>;

/** The swarm without its tokens, as `/info` shows it. */
export interface ClusterInfo extends ObjectMeta {
  readonly Spec: SwarmSpec;
  readonly TLSInfo: TlsInfo;
  readonly RootRotationInProgress: boolean;
  readonly DefaultAddrPool: readonly string[] | null;
  readonly SubnetSize: number;
  readonly DataPathPort: number;
}

export interface Swarm extends ClusterInfo {
  readonly JoinTokens: { readonly Worker: string; readonly Manager: string };
}

export interface UnlockKeyResponse {
  readonly UnlockKey: string;
}
