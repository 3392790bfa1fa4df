// /skep/backup and /skep/restore: not in Docker's API. A backup's file is the body as it is; what opens it comes in a header, since an address may be logged.
import { readAll } from '#engine-link/link.ts';
import { backupRequestShape, MAX_BACKUP_FILE_BYTES, RESTORE_SECRET_HEADER } from '#docker-api/backup.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { AppError } from '#lib/errors.ts';
import { json, type Route } from '../route.ts';
import { flag } from './parse.ts';

export const backupRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/skep/backup',
    async handler({ body }, { membership }) {
      const { file, warning } = await membership.backup(decodeBody(backupRequestShape, body ?? {}).Passphrase ?? '');
      const headers = warning === '' ? {} : { Warning: `199 skepd ${JSON.stringify(warning.replaceAll(/[^ -~]/g, '?'))}` };
      return { kind: 'bytes', status: 200, contentType: 'application/octet-stream', bytes: file, headers };
    },
  },
  {
    method: 'POST',
    path: '/skep/restore',
    body: 'raw',
    async handler({ rawBody, query, headers }, { membership }) {
      const secret = headers[RESTORE_SECRET_HEADER];
      const file = await readAll(rawBody, MAX_BACKUP_FILE_BYTES).catch((cause: unknown) => {
        throw new AppError('invalidArgument', 'the backup could not be received as a whole, or is larger than any that skepd makes', { cause });
      });
      const { nodeId, warnings } = await membership.restore(file, {
        secret: typeof secret === 'string' ? Buffer.from(secret, 'base64').toString() : '',
        force: flag(query, 'force'),
        listenAddr: query.get('listenAddr') ?? '',
        advertiseAddr: query.get('advertiseAddr') ?? '',
        dataPathAddr: query.get('dataPathAddr') ?? '',
      });
      return json({ NodeID: nodeId, Warnings: warnings });
    },
  },
];
