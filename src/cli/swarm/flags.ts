// Options of the swarm commands, and the part of a swarm's spec that several of them make.
import type { SwarmSpec } from '#docker-api/swarm.ts';
import type { FlagSpec } from '../command.ts';
import type { Flags } from '../flags.ts';
import { parseExternalCa, parsePemFile, parsePool } from './values.ts';

export const initFlags: readonly FlagSpec[] = [
  { name: 'advertise-addr', type: 'string', description: 'Advertised address (format: "<ip|interface>[:port]")' },
  { name: 'autolock', description: 'Enable manager autolocking (requiring an unlock key to start a stopped manager)' },
  { name: 'availability', type: 'string', description: 'Availability of the node ("active", "pause", "drain")', default: '"active"' },
  { name: 'cert-expiry', type: 'duration', description: 'Validity period for node certificates (ns|us|ms|s|m|h)', default: '2160h0m0s' },
  { name: 'data-path-addr', type: 'string', description: 'Address or interface to use for data path traffic (format: "<ip|interface>")' },
  {
    name: 'data-path-port',
    type: 'uint32',
    description: 'Port number to use for data path traffic (1024 - 49151). If no value is set or is set to 0, the default port (4789) is used.',
  },
  { name: 'default-addr-pool', type: 'ipNetSlice', description: 'default address pool in CIDR format', default: '[]', parse: parsePool },
  { name: 'default-addr-pool-mask-length', type: 'uint32', description: 'default address pool subnet mask length', default: '24' },
  { name: 'dispatcher-heartbeat', type: 'duration', description: 'Dispatcher heartbeat period (ns|us|ms|s|m|h)', default: '5s' },
  { name: 'external-ca', type: 'external-ca', description: 'Specifications of one or more certificate signing endpoints', parse: parseExternalCa },
  { name: 'force-new-cluster', description: 'Force create a new cluster from current state' },
  { name: 'listen-addr', type: 'node-addr', description: 'Listen address (format: "<ip|interface>[:port]")', default: '0.0.0.0:2377' },
  { name: 'max-snapshots', type: 'uint', description: 'Number of additional Raft snapshots to retain' },
  { name: 'snapshot-interval', type: 'uint', description: 'Number of log entries between Raft snapshots', default: '10000' },
  { name: 'task-history-limit', type: 'int', description: 'Task history retention limit', default: '5' },
];

export const joinFlags: readonly FlagSpec[] = [
  { name: 'advertise-addr', type: 'string', description: 'Advertised address (format: "<ip|interface>[:port]")' },
  { name: 'availability', type: 'string', description: 'Availability of the node ("active", "pause", "drain")', default: '"active"' },
  { name: 'data-path-addr', type: 'string', description: 'Address or interface to use for data path traffic (format: "<ip|interface>")' },
  { name: 'listen-addr', type: 'node-addr', description: 'Listen address (format: "<ip|interface>[:port]")', default: '0.0.0.0:2377' },
  { name: 'token', type: 'string', description: 'Token for entry into the swarm' },
];

export const updateFlags: readonly FlagSpec[] = [
  { name: 'autolock', description: 'Change manager autolocking setting (true|false)' },
  { name: 'cert-expiry', type: 'duration', description: 'Validity period for node certificates (ns|us|ms|s|m|h)', default: '2160h0m0s' },
  {
    name: 'deny-engine-options',
    type: 'string',
    description: 'Engine options that no service may use: "all", or a list such as privileged,devices,pid ("" allows them again)',
  },
  { name: 'dispatcher-heartbeat', type: 'duration', description: 'Dispatcher heartbeat period (ns|us|ms|s|m|h)', default: '5s' },
  { name: 'external-ca', type: 'external-ca', description: 'Specifications of one or more certificate signing endpoints', parse: parseExternalCa },
  { name: 'max-snapshots', type: 'uint', description: 'Number of additional Raft snapshots to retain' },
  { name: 'snapshot-interval', type: 'uint', description: 'Number of log entries between Raft snapshots', default: '10000' },
  { name: 'task-history-limit', type: 'int', description: 'Task history retention limit', default: '5' },
];

export const caFlags: readonly FlagSpec[] = [
  { name: 'ca-cert', type: 'pem-file', description: 'Path to the PEM-formatted root CA certificate to use for the new cluster', parse: parsePemFile },
  { name: 'ca-key', type: 'pem-file', description: 'Path to the PEM-formatted root CA key to use for the new cluster', parse: parsePemFile },
  { name: 'cert-expiry', type: 'duration', description: 'Validity period for node certificates (ns|us|ms|s|m|h)', default: '2160h0m0s' },
  { name: 'detach', short: 'd', description: 'Exit immediately instead of waiting for the root rotation to converge' },
  { name: 'external-ca', type: 'external-ca', description: 'Specifications of one or more certificate signing endpoints', parse: parseExternalCa },
  { name: 'quiet', short: 'q', description: 'Suppress progress output' },
  { name: 'rotate', description: 'Rotate the swarm CA - if no certificate or key are provided, new ones will be generated' },
];

/** Of the swarm's spec: engine options that services may not use. */
const DENY_LABEL = 'com.docker.skep.deny-engine-options';

/** The spec with what was asked for put in its place; the rest stays. */
export function changedSpec(spec: SwarmSpec, flags: Flags): SwarmSpec {
  const number = (name: string) => flags.value<number>(name);
  const { [DENY_LABEL]: _denied, ...labels } = spec.Labels ?? {};
  const denied = flags.text('deny-engine-options');
  return {
    ...spec,
    ...(flags.has('deny-engine-options') ? { Labels: denied === '' ? labels : { ...labels, [DENY_LABEL]: denied } } : {}),
    Orchestration: { ...spec.Orchestration, ...(flags.has('task-history-limit') ? { TaskHistoryRetentionLimit: number('task-history-limit') } : {}) },
    Raft: {
      ...spec.Raft,
      ...(flags.has('snapshot-interval') ? { SnapshotInterval: number('snapshot-interval') } : {}),
      ...(flags.has('max-snapshots') ? { KeepOldSnapshots: number('max-snapshots') } : {}),
    },
    Dispatcher: { ...spec.Dispatcher, ...(flags.has('dispatcher-heartbeat') ? { HeartbeatPeriod: number('dispatcher-heartbeat') } : {}) },
    CAConfig: {
      ...spec.CAConfig,
      ...(flags.has('cert-expiry') ? { NodeCertExpiry: number('cert-expiry') } : {}),
      ...(flags.has('external-ca') ? { ExternalCAs: flags.values('external-ca') } : {}),
    },
    ...(flags.has('autolock') ? { EncryptionConfig: { AutoLockManagers: flags.bool('autolock') } } : {}),
  };
}
