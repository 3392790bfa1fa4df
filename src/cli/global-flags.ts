// Options that stand before the command.
import type { FlagSpec } from './command.ts';

export const globalFlags: readonly FlagSpec[] = [
  { name: 'config', type: 'string', description: 'Location of client config files (default: DOCKER_CONFIG, or ~/.docker)' },
  {
    name: 'context',
    short: 'c',
    type: 'string',
    description: 'Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with "docker context use")',
  },
  { name: 'debug', short: 'D', description: 'Enable debug mode' },
  {
    name: 'host',
    short: 'H',
    type: 'list',
    description: "Daemon socket to connect to: unix:///path, tcp://host:port or ssh://user@host (default: DOCKER_HOST, or skepd's socket)",
  },
  { name: 'log-level', short: 'l', type: 'string', description: 'Set the logging level ("debug", "info", "warn", "error", "fatal")', default: '"info"' },
  { name: 'tls', description: 'Use TLS; implied by --tlsverify' },
  { name: 'tlscacert', type: 'string', description: 'Trust certs signed only by this CA' },
  { name: 'tlscert', type: 'string', description: 'Path to TLS certificate file' },
  { name: 'tlskey', type: 'string', description: 'Path to TLS key file' },
  { name: 'tlsverify', description: 'Use TLS and verify the remote' },
  { name: 'version', short: 'v', description: 'Print version information and quit' },
];
