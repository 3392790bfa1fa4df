// `npm run format`: formats the sources in place.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { status } = spawnSync(process.execPath, [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', 'src', 'test', 'bench', 'scripts'], {
  stdio: 'inherit',
  cwd: root,
});
process.exit(status ?? 1);
