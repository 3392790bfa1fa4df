// Where compiled code is kept: beside the project's own Node, so that all our programs share it and nothing is left outside the clone.
import { join } from 'node:path';

export const compileCacheFolder = join(import.meta.dirname, '../../.tools/compile-cache');
