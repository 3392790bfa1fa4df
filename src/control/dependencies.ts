// What the use cases need; `createControl` is given it and hands it on.
import type { ExternalSigner } from '#ca/external.ts';
import type { Clock, Random } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Store } from '#store/store.ts';

/** Keeps secrets unreadable in the store (store/seal.ts). `context` says what the text belongs to; it must be the same for opening. */
export interface Sealer {
  seal(plain: Uint8Array, context: string): string;
  open(sealed: string, context: string): Uint8Array;
}

export interface ControlDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly sealer: Sealer;
  /** Authorities outside the swarm. */
  readonly externalSigner: ExternalSigner;
  readonly log: Logger;
  /** This manager's own node: attachments of plain containers are made for it unless their maker says otherwise. */
  readonly nodeId: string;
}
