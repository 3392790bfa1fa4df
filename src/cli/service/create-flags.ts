// Options of `service create`.
import type { FlagSpec } from '../command.ts';
import { parseEnvironment } from '../values/environment.ts';
import { parseMount } from '../values/mount.ts';
import { parsePort } from '../values/port.ts';
import { parseFileReference, parseNetwork } from '../values/references.ts';
import { parseDnsSearch, parseHost, parseIpAddress, parseLabel, parsePlacementPreference, parseUlimit } from '../values/service.ts';
import { sharedFlags } from './shared-flags.ts';

export const createFlags: readonly FlagSpec[] = [
  ...sharedFlags,
  { name: 'config', type: 'config', description: 'Specify configurations to expose to the service', parse: parseFileReference },
  { name: 'constraint', type: 'list', description: 'Placement constraints' },
  { name: 'container-label', type: 'list', description: 'Container labels', parse: parseLabel },
  { name: 'dns', type: 'list', description: 'Set custom DNS servers', parse: parseIpAddress },
  { name: 'dns-option', type: 'list', description: 'Set DNS options' },
  { name: 'dns-search', type: 'list', description: 'Set custom DNS search domains', parse: parseDnsSearch },
  { name: 'endpoint-mode', type: 'string', description: 'Endpoint mode (vip or dnsrr)', default: '"vip"' },
  { name: 'env', short: 'e', type: 'list', description: 'Set environment variables', parse: parseEnvironment },
  { name: 'env-file', type: 'list', description: 'Read in a file of environment variables' },
  { name: 'generic-resource', type: 'list', description: 'User defined resources' },
  { name: 'group', type: 'list', description: 'Set one or more supplementary user groups for the container' },
  { name: 'host', type: 'list', description: 'Set one or more custom host-to-IP mappings (host:ip)', parse: parseHost },
  { name: 'label', short: 'l', type: 'list', description: 'Service labels', parse: parseLabel },
  { name: 'mode', type: 'string', description: 'Service mode ("replicated", "global", "replicated-job", "global-job")', default: '"replicated"' },
  { name: 'mount', type: 'mount', description: 'Attach a filesystem mount to the service', parse: parseMount },
  { name: 'name', type: 'string', description: 'Service name' },
  { name: 'network', type: 'network', description: 'Network attachments', parse: parseNetwork },
  { name: 'placement-pref', type: 'pref', description: 'Add a placement preference', parse: parsePlacementPreference },
  { name: 'publish', short: 'p', type: 'port', description: 'Publish a port as a node port', parse: parsePort },
  { name: 'restart-condition', type: 'string', description: 'Restart when condition is met ("none", "on-failure", "any")', default: '"any"' },
  { name: 'restart-delay', type: 'duration', description: 'Delay between restart attempts (ns|us|ms|s|m|h)', default: '5s' },
  { name: 'rollback-delay', type: 'duration', description: 'Delay between task rollbacks (ns|us|ms|s|m|h)', default: '0s' },
  { name: 'rollback-failure-action', type: 'string', description: 'Action on rollback failure ("pause", "continue")', default: '"pause"' },
  { name: 'rollback-max-failure-ratio', type: 'float', description: 'Failure rate to tolerate during a rollback', default: '0' },
  { name: 'rollback-monitor', type: 'duration', description: 'Duration after each task rollback to monitor for failure (ns|us|ms|s|m|h)', default: '5s' },
  { name: 'rollback-order', type: 'string', description: 'Rollback order ("start-first", "stop-first")', default: '"stop-first"' },
  { name: 'rollback-parallelism', type: 'uint', description: 'Maximum number of tasks rolled back simultaneously (0 to roll back all at once)', default: '1' },
  { name: 'secret', type: 'secret', description: 'Specify secrets to expose to the service', parse: parseFileReference },
  { name: 'stop-grace-period', type: 'duration', description: 'Time to wait before force killing a container (ns|us|ms|s|m|h)', default: '10s' },
  { name: 'sysctl', type: 'list', description: 'Sysctl options' },
  { name: 'ulimit', type: 'ulimit', description: 'Ulimit options', default: '[]', parse: parseUlimit },
  { name: 'update-delay', type: 'duration', description: 'Delay between updates (ns|us|ms|s|m|h)', default: '0s' },
  { name: 'update-failure-action', type: 'string', description: 'Action on update failure ("pause", "continue", "rollback")', default: '"pause"' },
  { name: 'update-max-failure-ratio', type: 'float', description: 'Failure rate to tolerate during an update', default: '0' },
  { name: 'update-monitor', type: 'duration', description: 'Duration after each task update to monitor for failure (ns|us|ms|s|m|h)', default: '5s' },
  { name: 'update-order', type: 'string', description: 'Update order ("start-first", "stop-first")', default: '"stop-first"' },
  { name: 'update-parallelism', type: 'uint', description: 'Maximum number of tasks updated simultaneously (0 to update all at once)', default: '1' },
];
