// `npm run docs`: writes docs/reference from the code, and removes pages that it no longer has. A test of test/tidy fails when they differ.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referencePages } from './docs/reference.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pages = await referencePages();
for (const stale of globSync('docs/reference/**/*.md', { cwd: root })) if (!pages.has(stale)) rmSync(join(root, stale));
for (const [path, text] of pages) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
console.log(`docs/reference: ${pages.size} pages, ${[...pages.keys()].reduce((sum, path) => sum + readFileSync(join(root, path)).length, 0)} bytes`);
