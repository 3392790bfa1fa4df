// What this program is called in its answers.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packageFile = fileURLToPath(new URL('../../package.json', import.meta.url));

export const skepVersion = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;

/** The commit of the clone that this runs from; empty elsewhere. */
export function gitCommit(): string {
  const git = fileURLToPath(new URL('../../.git', import.meta.url));
  try {
    const head = readFileSync(`${git}/HEAD`, 'utf8').trim();
    const commit = head.startsWith('ref: ') ? readFileSync(`${git}/${head.slice('ref: '.length)}`, 'utf8').trim() : head;
    return commit.slice(0, 9);
  } catch {
    return '';
  }
}
