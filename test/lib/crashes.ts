// Daemons that ended by an exception of their own: they are started again, and a test that passes all the same would never tell.
import type { TestEngine } from './engine.ts';

/** What Node prints last of a process that an exception has ended, after the exception itself. */
const LAST_WORDS = /^Node\.js v\d/m;
const EXCERPT_LINES = 20;

/** Rejects when one of these logs says that its daemon has ended by an exception. Logs that are not there, or whose machine has no power, say nothing. */
export async function assertNoCrash(engine: TestEngine, logFiles: readonly string[]): Promise<void> {
  for (const path of logFiles) {
    const text = await engine.exec(['cat', path]).then(
      ({ code, stdout }) => (code === 0 ? stdout : ''),
      () => '',
    );
    const end = LAST_WORDS.exec(text)?.index;
    if (end === undefined) continue;
    throw new Error(`a daemon has ended by an exception; ${path}:\n${text.slice(0, end).trimEnd().split('\n').slice(-EXCERPT_LINES).join('\n')}`);
  }
}
