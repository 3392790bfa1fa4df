// `npm run check`: types, lint and format. Runs all of them, so that one run shows everything.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const checks = [
  ['typescript', 'bin/tsc', '-p', '.'],
  ['oxlint', 'bin/oxlint', '--type-aware', '--quiet', 'src', 'test', 'bench', 'scripts'],
  ['@biomejs/biome', 'bin/biome', 'format', 'src', 'test', 'bench', 'scripts'],
] as const;

let failed = false;
for (const [packageName, script, ...args] of checks) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', packageName, script), ...args], { stdio: 'inherit', cwd: root });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
