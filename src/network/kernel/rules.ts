// Keeps one set of nftables rules as its text says, and sees whether somebody else has touched it.
import { applyRules, listTables } from './apply.ts';

export interface Rules {
  /** `verify` looks at the kernel whatever was applied before. Rejects as `apply` does; the next call then applies again. */
  ensure(text: string, verify: boolean): Promise<void>;
  /** The rules have gone, with their namespace for instance: the next call applies them whatever was applied before. */
  forget(): void;
}

export interface RulesDependencies {
  /** Replaces the rules in one transaction. */
  readonly apply: (text: string) => Promise<void>;
  /** How the kernel lists them, whatever is there. */
  readonly list: () => Promise<string>;
}

/**
 * The kernel lists rules in its own words, so they are compared with an earlier listing, asked for only when somebody wants to compare: a change
 * should cost one command. Somebody may touch them between our applying and our listing, and what is listed then would be taken for right for ever:
 * a listing is believed once two applications of the same text were listed alike, and until then every look applies.
 */
export function createRules({ apply, list }: RulesDependencies): Rules {
  let applied: string | undefined;
  let listing: string | undefined;
  let isBelieved = false;
  return {
    async ensure(text, verify) {
      if (applied === text && !verify) return;
      if (applied === text && isBelieved && (await list()) === listing) return;
      const before = applied === text ? listing : undefined;
      applied = undefined;
      await apply(text);
      listing = verify ? await list() : undefined;
      isBelieved = verify && listing === before;
      applied = text;
    },
    forget() {
      applied = undefined;
    },
  };
}

/** The rules of one table's name, in the host's namespace or another. */
export function tableRules(table: string, namespace?: string): Rules {
  return createRules({ apply: (text) => applyRules(text, namespace), list: () => listTables(table, namespace) });
}
