// Entry point of skepd: has its modules compiled, then daemon.ts takes over.
import { loadCompiled } from './compile-cache.ts';

// Whatever mask it was started with: where others could write, they could put another socket in the place of this daemon's, or other code.
process.umask(process.umask() | 0o022);

const { runDaemon } = await loadCompiled(import.meta.filename, () => import('./daemon.ts'), [
  // What it loads when it needs it.
  () => import('./manager-node.ts'),
  () => import('./manager-join.ts'),
  () => import('#ca/x509.ts'),
]);
runDaemon(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`skepd: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
