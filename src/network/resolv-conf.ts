// The host's own resolvers, which answer for names that are not the swarm's. The file is followed: a laptop changes networks, a lease is renewed.
import { readFileSync, statSync } from 'node:fs';

export interface HostResolvers {
  upstreams(): readonly string[];
}

/** `exclude`: our own address, in case somebody has made us the host's resolver too. */
export function createHostResolvers({ path = '/etc/resolv.conf', exclude }: { readonly path?: string; readonly exclude: string }): HostResolvers {
  let seen = '';
  let servers: readonly string[] = [];
  return {
    upstreams() {
      try {
        const { mtimeMs, ino, size } = statSync(path);
        const stamp = `${mtimeMs} ${ino} ${size}`;
        if (stamp !== seen) {
          servers = parseNameservers(readFileSync(path, 'utf8')).filter((address) => address !== exclude);
          seen = stamp;
        }
      } catch {
        // Being replaced just now, or missing: what it said last is the best guess.
      }
      return servers;
    },
  };
}

/** The `nameserver` lines of a resolv.conf, in order. */
export function parseNameservers(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}
