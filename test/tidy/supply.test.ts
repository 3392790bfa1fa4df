// What this project brings of others': every package is pinned by its hash, none runs a program when it is installed, and all may be passed on with ours.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
}

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const { packages } = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, LockedPackage>> };
const others = Object.entries(packages).filter(([path]) => path !== '');

const licences = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'MIT OR Apache-2.0'];
/** Its script only looks at version numbers; it does not run here. */
const withScripts = ['node_modules/protobufjs'];

test('every package is pinned to one version and its hash', () => {
  assert(others.length > 50);
  for (const [path, { version, integrity }] of others) assert.match(`${path} ${version} ${integrity}`, /^\S+ \d+\.\d+\.\d+\S* sha512-[A-Za-z0-9+/]{86}==$/);
});

test('nothing of a package runs when it is installed', () => {
  assert.deepEqual(
    others.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
    withScripts,
  );
  const installs = read('scripts/run.mjs')
    .split('\n')
    .filter((line) => /npm\(node, \['install'/.test(line));
  assert(installs.length > 0);
  for (const line of installs) assert.match(line, /'--ignore-scripts'/);
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
  assert.deepEqual(
    Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare|publish)$|^prepublishOnly$/.test(name)),
    [],
  );
});

test('every licence is one that this project’s goes with', () => {
  for (const [path, { license }] of others) assert(licences.includes(license ?? ''), `${path}: ${license}`);
});
