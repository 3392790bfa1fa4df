// SQLite's result codes in words that say what to do.
import { AppError, errorMessage } from '#lib/errors.ts';

/** Primary result codes, https://www.sqlite.org/rescode.html. */
const ResultCode = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** The AppError for anything thrown by SQLite while it worked on `path`; AppErrors stay as they are. */
export function storeError(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error;
  const text = errorMessage(error);
  const options = { cause: error };
  switch (primaryCode(error)) {
    case ResultCode.full:
      return new AppError('resourceExhausted', `the disk that holds ${path} is full: nothing was changed; free some space and repeat the command`, options);
    case ResultCode.busy:
      return new AppError('unavailable', `${path} is in use by another skepd; give each daemon a state folder of its own (--state-dir)`, options);
    case ResultCode.corrupt:
    case ResultCode.notADatabase:
      return damagedError(path, text, options);
    case ResultCode.cannotOpen:
    case ResultCode.readOnly:
      return new AppError('unavailable', `${path} cannot be opened for writing (${text}); check the folder's owner, permissions and mount`, options);
    case ResultCode.ioError:
      return new AppError('unavailable', `the disk that holds ${path} fails (${text}): nothing was changed`, options);
    default:
      return new AppError('unavailable', `the store ${path} failed: ${text}`, options);
  }
}

export function damagedError(path: string, detail: string, options?: { readonly cause: unknown }): AppError {
  return new AppError('dataLoss', `the store ${path} is damaged (${detail}); restore it from a backup`, options);
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
