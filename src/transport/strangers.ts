// Connections whose other end has not shown a certificate of the swarm: those in their handshake, and guests, who have none. Whoever they are, they cannot keep
// others out: there is room for so many, it is shared by where they come from, and nobody stays long.
import type { Server, TLSSocket } from 'node:tls';
import { createFairRoom, type FairRoomLimits, placeOfAddress } from '#lib/fair-room.ts';
import { type Handshakes, limitHandshakes } from '#lib/handshakes.ts';
import type { Logger } from '#lib/log.ts';

export interface StrangerLimits {
  /** How long a connection may say nothing before it has shown who it is. */
  readonly handshakeMs: number;
  /** How long a connection without a certificate lasts; one is issued within 20 s (client.ts). */
  readonly guestLifeMs: number;
  /** All nodes come at once when a manager is back. */
  readonly handshakes: FairRoomLimits;
  readonly guests: FairRoomLimits;
  /** Connections of one node: it needs three or four. */
  readonly perMember: number;
}

export const strangerLimits: StrangerLimits = {
  handshakeMs: 10_000,
  guestLifeMs: 60_000,
  handshakes: { total: 4_000, perPlace: 200 },
  guests: { total: 500, perPlace: 100 },
  perMember: 64,
};

export interface Strangers {
  /** Looks after the server's handshakes. */
  guard(server: Server): Handshakes;
  guest(socket: TLSSocket): void;
  member(socket: TLSSocket, nodeId: string): void;
}

/** Warnings of this kind are as many as somebody else wants them to be. */
const WARNING_PAUSE_MS = 10_000;

export function createStrangers(limits: StrangerLimits, elapsed: () => number, log: Logger): Strangers {
  const guests = createFairRoom<TLSSocket>(limits.guests);
  const members = createFairRoom<TLSSocket>({ total: Number.MAX_SAFE_INTEGER, perPlace: limits.perMember });
  let quietUntil = Number.NEGATIVE_INFINITY;

  function warn({ remoteAddress }: { readonly remoteAddress?: string | undefined }, what: string): void {
    if (elapsed() >= quietUntil) log.warn({ address: remoteAddress }, `${what} was closed: there are too many of that address`);
    quietUntil = Math.max(quietUntil, elapsed() + WARNING_PAUSE_MS);
  }

  function makeRoom(evicted: TLSSocket | undefined, what: string): void {
    if (evicted === undefined) return;
    warn(evicted, what);
    evicted.destroy();
  }

  return {
    guard: (server) => limitHandshakes(server, limits.handshakes, (socket) => warn(socket, 'a connection that had not shown who it is')),
    guest(socket) {
      const late = setTimeout(() => socket.destroy(), limits.guestLifeMs);
      socket.once('close', () => {
        clearTimeout(late);
        guests.leave(socket);
      });
      makeRoom(guests.enter(socket, placeOfAddress(socket.remoteAddress ?? '')), 'a connection without a certificate');
    },
    member(socket, nodeId) {
      socket.once('close', () => members.leave(socket));
      makeRoom(members.enter(socket, nodeId), `a connection of node ${nodeId}`);
    },
  };
}
