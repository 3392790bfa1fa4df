// Loaded into the process of every test file: one that does not end although its tests have ended would be waited for for ever. What keeps it is a leak, of
// the test or of what it tests: it fails, and says what it is.
import { after } from 'node:test';

/** For what closes by itself: handshakes and idle connections. */
const PATIENCE_MS = 60_000;

after(() => {
  const late = setTimeout(() => {
    console.error(`this test file does not end: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  }, PATIENCE_MS);
  // It must not be what keeps the process.
  late.unref();
});
