// Whether an engine is Podman behind its Docker-compatible socket, which knows no network drivers and runs health checks by systemd's timers only.
import type { EngineLink } from '#engine-link/connection.ts';
import { createEngineClient } from './engine-client.ts';

export type EngineKind = 'docker' | 'podman';

/** Rejects with AppError `unavailable` when the engine cannot be asked. */
export async function engineKind(link: EngineLink, signal: AbortSignal): Promise<EngineKind> {
  const client = createEngineClient({ link });
  const { Components } = await client.call<{ readonly Components?: readonly { readonly Name: string }[] | null }>({ method: 'GET', path: '/version', signal });
  return (Components ?? []).some(({ Name }) => Name.startsWith('Podman')) ? 'podman' : 'docker';
}
