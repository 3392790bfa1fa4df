// What skep-netd is made of, in one import: its entry point has it compiled before it is loaded.
export { errorMessage } from '#lib/errors.ts';
export { lockStateDirectory } from '#platform/state-lock.ts';
export { systemClock } from '#platform/clock.ts';
export { collectWhenQuiet } from '#platform/quiet-memory.ts';
export { createLogFile } from '#network/netd/log-file.ts';
export { startNetd } from '#network/netd/netd.ts';
export { LOG_FILE } from '#network/netd/protocol.ts';
