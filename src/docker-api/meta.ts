// What every swarm object's JSON begins with.

export interface ObjectVersion {
  /** Absent when 0. */
  readonly Index?: number | undefined;
}

export interface ObjectMeta {
  readonly ID: string;
  readonly Version: ObjectVersion;
  /** RFC 3339 with up to nine digits of a second; `0001-01-01T00:00:00Z` when unknown. */
  readonly CreatedAt: string;
  readonly UpdatedAt: string;
}

export interface ErrorBody {
  readonly message: string;
}
