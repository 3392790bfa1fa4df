// The entry of `npm start` and `npm test`: brings the project's own Node and packages, then hands over to TypeScript.
// Plain JavaScript without dependencies, because it must run under whatever Node a fresh machine has.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_VERSION = '24.21.0';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, '.tools');
const nodePackage = `node-linux-${process.arch}`;
const node = join(tools, 'node_modules', nodePackage, 'bin', 'node');

/** Runs a command with our terminal; returns its exit code. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options });
  if (result.error) fail(`${command}: ${result.error.message}`);
  return result.status ?? 1;
}

function fail(message) {
  console.error(`skep: ${message}`);
  process.exit(1);
}

/** The npm that runs us, as a script for a given node; npm sets npm_execpath, a bare `node scripts/run.mjs` does not. */
function npm(nodeBinary, args, options) {
  const script = process.env.npm_execpath;
  const environment = { ...process.env, PATH: `${dirname(nodeBinary)}:${process.env.PATH}` };
  return script?.endsWith('.js') ? run(nodeBinary, [script, ...args], { env: environment, ...options }) : run('npm', args, { env: environment, ...options });
}

function ensureNode() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    fail(`Skep runs on Linux on x64 and arm64, not on ${process.platform} ${process.arch}`);
  const installed = existsSync(node) && spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (installed === `v${NODE_VERSION}`) return;
  console.error(`skep: fetching Node ${NODE_VERSION} into .tools/`);
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, 'package.json'), '{ "private": true }\n');
  if (
    npm(process.execPath, ['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', tools, `${nodePackage}@${NODE_VERSION}`], { cwd: tools }) !== 0
  )
    fail('could not fetch Node from the npm registry');
}

function refresh(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // Somebody else's clone: it stays as it is.
  }
}

function ensurePackages() {
  const stamp = join(root, 'node_modules', '.skep-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  // Newer than the files that it depends on: then bin/skepd need not ask.
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return refresh(stamp);
  console.error('skep: fetching packages into node_modules/');
  // `npm ci` insists on lock entries for the optional packages of every platform, which a registry mirror may not carry;
  // `install` follows the lock for what there is.
  if (npm(node, ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']) !== 0)
    fail('could not fetch the packages from the npm registry');
  writeFileSync(stamp, wanted);
}

const [command = 'start', ...rest] = process.argv.slice(2);
if (!existsSync(join(root, 'scripts', `${command}.ts`))) fail(`no such command: ${command}`);
ensureNode();
ensurePackages();
process.exit(
  run(node, ['--disable-warning=ExperimentalWarning', join(root, 'scripts', `${command}.ts`), ...rest], {
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
  }),
);
