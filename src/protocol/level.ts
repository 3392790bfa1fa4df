// What this daemon understands: the one number that daemons of different versions compare. It grows when an older daemon would do wrong with what a newer
// one stores or sends; a field that an older one may ignore needs no new level.
//
// level 1: everything up to here.

const CURRENT_LEVEL = 1;
/** Of a daemon that does not say its level. */
export const OLDEST_LEVEL = 1;

/** `pretended` is a number in text that tests give a daemon to play a newer one. */
export function ownLevel(pretended?: string): number {
  return pretended !== undefined && /^\d{1,6}$/.test(pretended) ? Number(pretended) : CURRENT_LEVEL;
}
