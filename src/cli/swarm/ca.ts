// `swarm ca`: the root certificate, and its rotation.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import type { ClusterInfo, Swarm } from '#docker-api/swarm.ts';
import { AppError } from '#lib/errors.ts';
import { createHash } from 'node:crypto';
import type { CommandSpec, Invocation } from '../command.ts';
import { createProgress } from '../service/progress-display.ts';
import { caFlags, changedSpec } from './flags.ts';

const POLL_MS = 200;
const NEED_ROTATE = ['cert-expiry', 'external-ca', 'ca-cert', 'ca-key'];

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: caFlags,
  async run(invocation) {
    const { flags, context } = invocation;
    const client = await invocation.client();
    const { Spec, Version, TLSInfo } = await client.call<Swarm>('GET', '/swarm');
    if (!flags.bool('rotate')) {
      const other = NEED_ROTATE.find((name) => flags.has(name));
      if (other !== undefined) throw new AppError('invalidArgument', `\`--${other}\` flag requires the \`--rotate\` flag to update the CA`);
      context.stdout.write(certificate(TLSInfo.TrustRoot));
      return undefined;
    }
    checkRotation(invocation);
    const changed = changedSpec(Spec, flags);
    const body = {
      ...changed,
      CAConfig: {
        ...changed.CAConfig,
        ...(flags.has('ca-cert') ? {} : { ForceRotate: (changed.CAConfig?.ForceRotate ?? 0) + 1 }),
        SigningCACert: flags.value<string>('ca-cert') ?? '',
        SigningCAKey: flags.value<string>('ca-key') ?? '',
        ...(flags.has('external-ca')
          ? {
              ExternalCAs: flags
                .values<{ CACert: string }>('external-ca')
                .map((ca) => ({ ...ca, CACert: ca.CACert || (flags.value<string>('ca-cert') ?? '') })),
            }
          : {}),
      },
    };
    await client.call('POST', '/swarm/update', { query: { version: Version.Index ?? 0 }, body });
    if (flags.bool('detach')) return undefined;
    const root = await followRotation(invocation, client);
    if (root !== undefined && !flags.bool('quiet')) context.stdout.write(certificate(root));
    return undefined;
  },
};

function certificate(root: string | undefined): string {
  if (!root) throw new AppError('notFound', 'No CA information available');
  return `${root.trim()}\n`;
}

function checkRotation({ flags }: Invocation): void {
  if (flags.has('external-ca') && !flags.has('ca-cert'))
    throw new AppError(
      'invalidArgument',
      "rotating to an external CA requires the `--ca-cert` flag to specify the external CA's cert - to add an external CA with the current root CA certificate, use the `update` command instead",
    );
  if (flags.has('ca-cert') && !flags.has('ca-key') && !flags.has('external-ca'))
    throw new AppError('invalidArgument', 'the --ca-cert flag requires that a --ca-key flag and/or --external-ca flag be provided as well');
}

/** Shows how many nodes have followed; resolves with the new root, or undefined after Ctrl-C. */
async function followRotation({ flags, context }: Invocation, client: Client): Promise<string | undefined> {
  const progress = createProgress(flags.bool('quiet') ? { write: () => true } : context.stdout);
  let interrupted = false;
  const restore = context.onInterrupt(() => {
    interrupted = true;
  });
  try {
    for (;;) {
      const [swarm, nodes] = await Promise.all([client.call<ClusterInfo>('GET', '/swarm'), client.call<Node[]>('GET', '/nodes')]);
      const { TrustRoot, CertIssuerPublicKey, CertIssuerSubject } = swarm.TLSInfo;
      progress.set(
        'desired root digest',
        `sha256:${createHash('sha256')
          .update(TrustRoot ?? '')
          .digest('hex')}`,
      );
      const renewed = nodes.filter(
        ({ Description: { TLSInfo: own } }) => own?.CertIssuerPublicKey === CertIssuerPublicKey && own?.CertIssuerSubject === CertIssuerSubject,
      );
      const trusting = nodes.filter(({ Description: { TLSInfo: own } }) => own?.TrustRoot === TrustRoot);
      progress.set('  rotated TLS certificates', '', { current: renewed.length, total: nodes.length, units: 'nodes' });
      progress.set('  rotated CA certificates', '', { current: trusting.length, total: nodes.length, units: 'nodes' });
      if (!swarm.RootRotationInProgress) return TrustRoot;
      if (interrupted) {
        context.stdout.write('Operation continuing in background.\nUse `swarmctl cluster inspect default` to check progress.\n');
        return undefined;
      }
      await context.clock.sleep(POLL_MS);
    }
  } finally {
    restore();
  }
}
