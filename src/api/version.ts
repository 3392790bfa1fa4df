// Versions of the Engine API: which ones we speak, and what a request's path says. Numbers are the minor: 41 for 1.41, since the major is always 1.
import { AppError } from '#lib/errors.ts';

export const MAX_API_VERSION = 50;
export const MIN_API_VERSION = 24;
/** Docker answered in plain text before 1.24; it still does to clients that ask with such a version. */
export const FIRST_JSON_ERRORS_VERSION = 24;

/** Engines up to API 1.41 asked for no content type of the bodies that they read for the swarm, and their errors about JSON had no prefix. */
export const FIRST_STRICT_JSON_VERSION = 42;

export function versionText(minor: number): string {
  return `1.${minor}`;
}

export interface VersionedPath {
  /** As the client wrote it; undefined for a path without a version. */
  readonly requested?: string;
  /** The path after the version, still encoded: `/services/web`. */
  readonly path: string;
}

/** Splits `/v1.41/services` into its version and the rest. A path without a version is all rest. */
export function splitVersion(path: string): VersionedPath {
  // Only one character has to be looked at for the common unversioned case.
  if (path.charCodeAt(1) !== 0x76) return { path };
  const match = /^\/v([0-9][0-9.]*)(\/.*)$/.exec(path);
  return match?.[1] && match[2] ? { requested: match[1], path: match[2] } : { path };
}

/** The minor number to serve a request with. Throws Docker's own refusals for versions outside of what we speak. */
export function negotiate(requested: string | undefined): number {
  if (requested === undefined) return MAX_API_VERSION;
  const order = compareVersions(requested, versionText(MAX_API_VERSION));
  if (order > 0) {
    throw new AppError('invalidArgument', `client version ${requested} is too new. Maximum supported API version is ${versionText(MAX_API_VERSION)}`);
  }
  if (compareVersions(requested, versionText(MIN_API_VERSION)) < 0) {
    throw new AppError(
      'invalidArgument',
      `client version ${requested} is too old. Minimum supported API version is ${versionText(MIN_API_VERSION)}, please upgrade your client to a newer version`,
    );
  }
  return order === 0 ? MAX_API_VERSION : (numbersOf(requested)[1] ?? 0);
}

export function expectsPlainTextErrors(requested: string | undefined): boolean {
  return requested !== undefined && compareVersions(requested, versionText(FIRST_JSON_ERRORS_VERSION)) < 0;
}

export function hasBareJsonErrors(requested: string | undefined): boolean {
  return requested !== undefined && compareVersions(requested, versionText(FIRST_STRICT_JSON_VERSION)) < 0;
}

/** Docker's comparison: number by number, what is missing or no number counts as 0. */
export function compareVersions(a: string, b: string): number {
  const left = numbersOf(a);
  const right = numbersOf(b);
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The version to ask the engine with: the client's, held within what the engine speaks. */
export function engineVersion(client: number, engine: { readonly apiVersion: number; readonly minApiVersion: number }): number {
  return Math.max(Math.min(client, engine.apiVersion), engine.minApiVersion);
}

function numbersOf(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}
