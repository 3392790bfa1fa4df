// Backups, which Docker's API does not have: POST /skep/backup answers with a file, POST /skep/restore takes one as its body.
import { type Infer, string, struct } from './shape.ts';

export const backupRequestShape = struct('BackupRequest', { Passphrase: string });
export type BackupRequest = Infer<typeof backupRequestShape>;

export interface RestoreResponse {
  readonly NodeID: string;
  readonly Warnings: readonly string[];
}

/** The unlock key or the passphrase, in base64. */
export const RESTORE_SECRET_HEADER = 'x-skep-backup-secret';

/** No larger one is made. */
export const MAX_BACKUP_FILE_BYTES = 512 * 1024 * 1024;
