// The one error class that crosses boundaries, and its closed set of codes with their Docker HTTP status.
// A broken invariant is not an AppError: that is `assert`.

/**
 * Codes follow gRPC, because Docker's swarm errors do; `system` is a daemon-side failure without one.
 * Source of the status mapping: the Engine API's own (InvalidArgument, FailedPrecondition, OutOfRange → 400 and so on).
 */
export const httpStatusOfCode = {
  invalidArgument: 400,
  failedPrecondition: 400,
  outOfRange: 400,
  unauthenticated: 401,
  permissionDenied: 403,
  notFound: 404,
  alreadyExists: 409,
  conflict: 409,
  unimplemented: 501,
  unavailable: 503,
  deadlineExceeded: 500,
  resourceExhausted: 500,
  aborted: 500,
  internal: 500,
  dataLoss: 500,
  unknown: 500,
} as const;

export type ErrorCode = keyof typeof httpStatusOfCode;

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalidArgument',
  401: 'unauthenticated',
  403: 'permissionDenied',
  404: 'notFound',
  409: 'conflict',
  501: 'unimplemented',
  503: 'unavailable',
};

/** What an HTTP answer with this status says at most; `unknown` where a status alone tells nothing. */
export function codeOfHttpStatus(status: number): ErrorCode {
  return codeOfStatus[status] ?? 'unknown';
}

const grpcName: Partial<Record<ErrorCode, string>> = {
  invalidArgument: 'InvalidArgument',
  failedPrecondition: 'FailedPrecondition',
  outOfRange: 'OutOfRange',
  unauthenticated: 'Unauthenticated',
  permissionDenied: 'PermissionDenied',
  notFound: 'NotFound',
  alreadyExists: 'AlreadyExists',
  unimplemented: 'Unimplemented',
  unavailable: 'Unavailable',
  deadlineExceeded: 'DeadlineExceeded',
  resourceExhausted: 'ResourceExhausted',
  aborted: 'Aborted',
  internal: 'Internal',
  dataLoss: 'DataLoss',
  unknown: 'Unknown',
};

/** A failure that a caller, often a user, is told about. `message` says what happened, on what, and what to do. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
  get httpStatus(): number {
    return httpStatusOfCode[this.code];
  }
}

/** An error whose text carries the prefix that Docker's swarm side gives its own: `rpc error: code = X desc = …`. */
export function rpcError(code: ErrorCode, description: string, options?: { cause?: unknown }): AppError {
  return new AppError(code, `rpc error: code = ${grpcName[code] ?? 'Unknown'} desc = ${description}`, options);
}

/** The text of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
