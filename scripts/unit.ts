// Runs the fast tests: everything beside the code, in one process.
import { spawnSync } from 'node:child_process';
const result = spawnSync(process.execPath, ['--test', '--test-isolation=none', ...process.argv.slice(2), 'src/**/*.test.ts'], { stdio: 'inherit' });
process.exit(result.status ?? 1);
