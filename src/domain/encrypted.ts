// What `docker network create --opt encrypted` asks for.
import type { Driver } from './spec.ts';

/** As Docker reads it: the option alone is enough, unless its value says no. */
export function wantsEncryption(driver: Driver | undefined): boolean {
  const value = driver?.options?.['encrypted'];
  return value !== undefined && !['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value);
}
