// What is said of a file that cannot be read or written: the system's reason in Go's words, as the docker CLI prints it.
import { AppError, errorMessage } from '#lib/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
};

export function fileReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? errorMessage(error);
}

/** `open a.txt: no such file or directory`. */
export function fileError(verb: string, path: string, error: unknown): AppError {
  return new AppError('invalidArgument', `${verb} ${path}: ${fileReason(error)}`, { cause: error });
}
