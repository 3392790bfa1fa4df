// The swarm itself: JSON ↔ domain, for `/swarm` and the swarm's part of `/info`.

import type { InitRequest, JoinRequest, JoinTokens, SwarmInfo } from '#control/control.ts';
import type { ClusterInfo, Swarm, SwarmSpec, InitRequest as WireInitRequest, JoinRequest as WireJoinRequest } from '#docker-api/swarm.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec, ExternalCa } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { issuerOf } from './certificate.ts';
import { compact, invalid, memoized, metaToJson, nonEmpty, optionalMap, quoted, sortedMap } from './common.ts';
import { availabilityFromJson } from './node.ts';
import { driverFromJson, driverToJson } from './task-spec.ts';

export type ClusterSpecWithKey = ClusterSpec & { readonly signingCaKey?: string };

/** Absent and zero stay so: in `init` they mean the default, in an update they mean zero. Throws AppError `invalidArgument`. */
export function swarmSpecFromJson(wire: SwarmSpec): ClusterSpecWithKey {
  if (wire.Name && wire.Name !== 'default') throw invalid('swarm spec must be named "default"');
  const { Raft: raft = {}, CAConfig: ca = {}, TaskDefaults: taskDefaults = {} } = wire;
  return compact<ClusterSpecWithKey>({
    name: 'default',
    labels: wire.Labels ?? {},
    orchestration: compact({ taskHistoryRetentionLimit: wire.Orchestration?.TaskHistoryRetentionLimit }),
    raft: compact<ClusterSpec['raft']>({
      snapshotInterval: nonEmpty(raft.SnapshotInterval),
      keepOldSnapshots: raft.KeepOldSnapshots,
      logEntriesForSlowFollowers: nonEmpty(raft.LogEntriesForSlowFollowers),
      electionTick: raft.ElectionTick ?? 0,
      heartbeatTick: raft.HeartbeatTick ?? 0,
    }),
    dispatcher: compact({ heartbeatPeriodNs: nonEmpty(wire.Dispatcher?.HeartbeatPeriod) }),
    ca: compact<ClusterSpec['ca']>({
      nodeCertExpiryNs: nonEmpty(ca.NodeCertExpiry),
      externalCas: nonEmpty(ca.ExternalCAs?.map(externalCaFromJson)),
      signingCaCert: nonEmpty(ca.SigningCACert),
      forceRotate: nonEmpty(ca.ForceRotate),
    }),
    taskDefaults: compact({ logDriver: taskDefaults.LogDriver && driverFromJson(taskDefaults.LogDriver) }),
    encryption: { autoLockManagers: wire.EncryptionConfig?.AutoLockManagers ?? false },
    signingCaKey: nonEmpty(ca.SigningCAKey),
  });
}

function externalCaFromJson(wire: NonNullable<NonNullable<SwarmSpec['CAConfig']>['ExternalCAs']>[number]): ExternalCa {
  const protocol = wire.Protocol?.toLowerCase() ?? '';
  if (protocol !== 'cfssl') throw invalid(`invalid protocol: ${quoted(wire.Protocol ?? '')}`);
  return compact<ExternalCa>({ protocol, url: wire.URL ?? '', options: nonEmpty(wire.Options), caCert: wire.CACert ?? '' });
}

/** Never with the signing certificate or key: who reads a spec and writes it back would give one without the other. */
export function swarmSpecToJson(spec: ClusterSpec): SwarmSpec {
  const { raft, ca } = spec;
  return {
    Name: nonEmpty(spec.name),
    Labels: sortedMap(spec.labels),
    Orchestration: { TaskHistoryRetentionLimit: spec.orchestration.taskHistoryRetentionLimit ?? 0 },
    Raft: {
      SnapshotInterval: nonEmpty(raft.snapshotInterval),
      KeepOldSnapshots: raft.keepOldSnapshots ?? 0,
      LogEntriesForSlowFollowers: nonEmpty(raft.logEntriesForSlowFollowers),
      ElectionTick: raft.electionTick,
      HeartbeatTick: raft.heartbeatTick,
    },
    Dispatcher: { HeartbeatPeriod: nonEmpty(spec.dispatcher.heartbeatPeriodNs) },
    CAConfig: {
      NodeCertExpiry: nonEmpty(ca.nodeCertExpiryNs),
      ExternalCAs: nonEmpty(
        ca.externalCas?.map(({ protocol, url, options, caCert }) => ({ Protocol: protocol, URL: url, Options: optionalMap(options), CACert: caCert })),
      ),
      ForceRotate: nonEmpty(ca.forceRotate),
    },
    TaskDefaults: { LogDriver: spec.taskDefaults.logDriver && driverToJson(spec.taskDefaults.logDriver) },
    EncryptionConfig: { AutoLockManagers: spec.encryption.autoLockManagers },
  };
}

/** The swarm without its tokens, as in `/info`. */
export const clusterInfoToJson: (cluster: Cluster) => ClusterInfo = memoized((cluster) => {
  // While the root is rotated, the trusted root is the old one and the issuer is the new one already.
  const issuer = issuerOf(cluster.rootCa.rotation?.certificate ?? cluster.rootCa.certificate);
  return {
    ...metaToJson(cluster),
    Spec: swarmSpecToJson(cluster.spec),
    TLSInfo: {
      TrustRoot: nonEmpty(cluster.rootCa.certificate),
      CertIssuerSubject: issuer?.subject,
      CertIssuerPublicKey: issuer?.publicKey,
    },
    RootRotationInProgress: cluster.rootRotationInProgress,
    DefaultAddrPool: cluster.defaultAddressPools,
    SubnetSize: cluster.subnetSize,
    DataPathPort: cluster.dataPathPort,
  };
});

export function swarmToJson(cluster: Cluster, tokens: JoinTokens): Swarm {
  return { ...clusterInfoToJson(cluster), JoinTokens: { Worker: tokens.worker, Manager: tokens.manager } };
}

/** The `Swarm` section of `/info`. */
export function swarmInfoToJson(info: SwarmInfo) {
  return {
    NodeID: info.nodeId,
    NodeAddr: info.nodeAddress,
    LocalNodeState: info.state,
    ControlAvailable: info.controlAvailable,
    Error: info.error,
    RemoteManagers: info.remoteManagers.length === 0 ? null : info.remoteManagers.map(({ nodeId, address }) => ({ NodeID: nodeId, Addr: address })),
    Nodes: nonEmpty(info.nodes),
    Managers: nonEmpty(info.managers),
    Cluster: info.cluster && clusterInfoToJson(info.cluster),
    Warnings: nonEmpty(info.warnings),
  };
}

/** Address pools came with API 1.39, the data path port with 1.40. Autolock may be asked for in either of two places: most clients know only one. */
export function initRequestFromJson(wire: WireInitRequest, apiVersion: number): InitRequest {
  const spec = swarmSpecFromJson(wire.Spec ?? {});
  return {
    listenAddr: wire.ListenAddr ?? '',
    advertiseAddr: wire.AdvertiseAddr ?? '',
    dataPathAddr: wire.DataPathAddr ?? '',
    dataPathPort: apiVersion < 40 ? 0 : (wire.DataPathPort ?? 0),
    defaultAddrPool: apiVersion < 39 ? [] : (wire.DefaultAddrPool ?? []),
    subnetSize: apiVersion < 39 ? 0 : (wire.SubnetSize ?? 0),
    forceNewCluster: wire.ForceNewCluster ?? false,
    autoLockManagers: (wire.AutoLockManagers ?? false) || spec.encryption.autoLockManagers,
    availability: availabilityFromJson(wire.Availability, internalError),
    spec,
  };
}

export function joinRequestFromJson(wire: WireJoinRequest): JoinRequest {
  return {
    listenAddr: wire.ListenAddr ?? '',
    advertiseAddr: wire.AdvertiseAddr ?? '',
    dataPathAddr: wire.DataPathAddr ?? '',
    remoteAddrs: wire.RemoteAddrs ?? [],
    joinToken: wire.JoinToken ?? '',
    availability: availabilityFromJson(wire.Availability, internalError),
  };
}

/** Docker answers a bad availability with 500 here. */
function internalError(message: string): AppError {
  return new AppError('unknown', message);
}
