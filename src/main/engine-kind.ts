// Which engine this node has. It decides how containers get their networks, so it is remembered: skepd and the data plane start while the engine is away.
import { join } from 'node:path';
import type { EngineLink } from '#engine-link/connection.ts';
import { type EngineKind, engineKind } from '#engine/podman.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';

interface KindOptions {
  readonly engine: EngineLink;
  /** The state directory. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An engine that takes longer to say its version is away. */
const ASK_TIMEOUT_MS = 5_000;

/** As the engine says; while it is away, as it said last; Docker when it never has. */
export async function rememberedEngineKind({ engine, path, clock, log }: KindOptions): Promise<EngineKind> {
  const file = join(path, 'engine-kind');
  const remembered = readFileIfPresent(file)?.toString().trim() === 'podman' ? 'podman' : 'docker';
  const late = new AbortController();
  const cancel = clock.schedule(ASK_TIMEOUT_MS, () => late.abort(new Error('the engine does not answer')));
  try {
    const kind = await engineKind(engine, late.signal);
    writeFileAtomically(file, `${kind}\n`);
    return kind;
  } catch (error) {
    log.warn({ error: errorMessage(error), assumed: remembered }, 'the engine cannot be asked what it is');
    return remembered;
  } finally {
    cancel();
  }
}
