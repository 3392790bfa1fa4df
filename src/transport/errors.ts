// AppErrors across the wire: the code travels as gRPC's status, the message as its details, so a node tells its user what the manager said.
import { type ServiceError, status } from '@grpc/grpc-js';
import { AppError, type ErrorCode, errorMessage } from '#lib/errors.ts';

const statusOfCode: Readonly<Record<ErrorCode, status>> = {
  invalidArgument: status.INVALID_ARGUMENT,
  failedPrecondition: status.FAILED_PRECONDITION,
  outOfRange: status.OUT_OF_RANGE,
  unauthenticated: status.UNAUTHENTICATED,
  permissionDenied: status.PERMISSION_DENIED,
  notFound: status.NOT_FOUND,
  alreadyExists: status.ALREADY_EXISTS,
  conflict: status.ABORTED,
  unimplemented: status.UNIMPLEMENTED,
  unavailable: status.UNAVAILABLE,
  deadlineExceeded: status.DEADLINE_EXCEEDED,
  resourceExhausted: status.RESOURCE_EXHAUSTED,
  aborted: status.ABORTED,
  internal: status.INTERNAL,
  dataLoss: status.DATA_LOSS,
  unknown: status.UNKNOWN,
};

const codeOfStatus = new Map<status, ErrorCode>(Object.entries(statusOfCode).map(([code, value]) => [value, code as ErrorCode]));
// Two codes share a status; the one that a caller can act on wins.
codeOfStatus.set(status.ABORTED, 'aborted');
codeOfStatus.set(status.CANCELLED, 'aborted');

/** What a server answers a failed call with. A failure that is no AppError shows its message, never its stack. */
export function toStatus(error: unknown): { readonly code: status; readonly details: string } {
  return { code: error instanceof AppError ? statusOfCode[error.code] : status.UNKNOWN, details: errorMessage(error) };
}

/** What a client's caller gets for a failed call. */
export function fromStatus(error: ServiceError): AppError {
  return new AppError(codeOfStatus.get(error.code) ?? 'unknown', error.details || error.message, { cause: error });
}
