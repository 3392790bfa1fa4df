// The rules of the house that a compiler does not know: who may import whom, how long files and functions are, where time and chance come from, that each
// file says what it is for. An exception needs its reason here; one that is not needed any more fails the test.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { referencePages } from '../../scripts/docs/reference.ts';
import { brokenLinks } from './links.ts';
import { folderOf, functionLengths, importsOf, isTestFile, repositoryFiles, sourceFiles } from './sources.ts';

const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 70;

const decisions = ['domain', 'lib'];
const managerParts = ['orchestrator', 'allocator', 'scheduler', 'store', 'etcd', 'ca', 'protocol', 'dispatcher', 'compose', ...decisions];

/** What each folder of src/ may import besides itself; ARCHITECTURE.md says why. */
const mayImport: Readonly<Record<string, readonly string[] | 'everything'>> = {
  lib: [],
  domain: ['lib'],
  compose: decisions,
  orchestrator: decisions,
  allocator: decisions,
  scheduler: decisions,
  // Of etcd: how to talk to it.
  store: ['etcd', ...decisions],
  etcd: ['lib'],
  ca: decisions,
  protocol: decisions,
  dispatcher: ['store', 'protocol', ...decisions],
  transport: ['ca', 'protocol', ...decisions],
  manager: managerParts,
  control: ['store', 'ca', 'compose', ...decisions],
  'docker-api': ['lib'],
  'engine-link': ['lib'],
  api: ['control', 'docker-api', 'engine-link', ...decisions],
  console: ['control', ...decisions],
  agent: ['protocol', ...decisions],
  // Types of the seam: executor.ts, and the messages that it speaks of.
  engine: ['agent', 'protocol', 'docker-api', 'engine-link', ...decisions],
  network: ['protocol', ...decisions],
  volume: ['agent', ...decisions],
  client: ['docker-api', 'compose', 'lib'],
  dev: ['client', 'platform', 'lib'],
  cli: ['client', 'dev', 'docker-api', 'compose', 'lib'],
  platform: ['lib'],
  main: 'everything',
};

/** Longer than a file or function should be, and why it stays so. */
const longFiles: Readonly<Record<string, string>> = {};
const longFunctions: Readonly<Record<string, string>> = {};

/** Files outside platform/ and main/ that may ask the machine for time or chance, and why. */
const ownTime: Readonly<Record<string, string>> = {
  'src/transport/strangers.ts': 'bounds the stay of a real connection',
  'src/engine-link/link.ts': 'bounds a connect on a real socket',
  'src/api/route.ts': 'lets others have their turn between the parts of a long list',
  'src/api/proxy/create-container.ts': 'a name that nobody else has, for a container that has no id yet',
  'src/api/proxy/stop-signal.ts': "bounds a wait for the engine's answer on a real socket",
  'src/ca/external.ts': 'bounds a request on a real connection',
  'src/ca/keys.ts': 'serial numbers, with the keys that only the machine can make',
  'src/etcd/client.ts': 'deadlines of calls on a real connection',
  'src/engine/engine-client.ts': 'bounds a call on a real socket',
  'src/network/dns/forward.ts': 'bounds a query on a real socket',
  'src/network/dns/server.ts': 'the order of addresses in an answer',
  'src/transport/client.ts': 'deadlines of calls on a real connection',
  'src/transport/server.ts': 'whether a certificate of a real handshake has expired',
  'src/store/create-store.ts': 'the default of an argument',
  'src/store/seal.ts': 'the default of an argument: nonces of the cipher',
  'src/store/sqlite/backend.ts': 'gathers the commits of one turn of the event loop; no time is measured',
};

const src = sourceFiles('src/**/*.ts');
const production = src.filter(({ path }) => !isTestFile(path));
const everything = [...src, ...sourceFiles('test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts')];

describe('the import table', () => {
  it('knows every folder', () => {
    const folders = new Set(src.map(({ path }) => path.split('/')[1] ?? ''));
    for (const folder of folders) assert.ok(folder in mayImport, `src/${folder} has no line in the import table`);
  });

  it('is kept', () => {
    const offences = production.flatMap((file) => {
      const own = file.path.split('/')[1] ?? '';
      const allowed = mayImport[own] ?? [];
      if (allowed === 'everything') return [];
      return importsOf(file)
        .filter((specifier) => {
          const folder = folderOf(file.path, specifier);
          return folder !== undefined && folder !== own && !allowed.includes(folder);
        })
        .map((specifier) => `${file.path} imports ${specifier}`);
    });
    assert.deepEqual(offences, []);
  });

  it('is used with #folder/file.ts across folders and relative paths within', () => {
    const offences = production.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.') !== (folderOf(file.path, specifier) === file.path.split('/')[1]) && !/^[^.#]/.test(specifier))
        .map((specifier) => `${file.path} imports ${specifier}`),
    );
    assert.deepEqual(offences, []);
  });

  it('keeps pure what is pure: no Node modules in decisions', () => {
    const pure = new Set(['lib', 'domain', 'compose', 'orchestrator', 'allocator', 'scheduler', 'protocol', 'docker-api']);
    // Computation only.
    const harmless = new Set(['node:buffer', 'node:util', 'node:crypto', 'node:url']);
    const offences = production
      .filter(({ path }) => pure.has(path.split('/')[1] ?? ''))
      .flatMap((file) =>
        importsOf(file)
          .filter((specifier) => specifier.startsWith('node:') && !harmless.has(specifier))
          .map((specifier) => `${file.path} imports ${specifier}`),
      );
    assert.deepEqual(offences, []);
  });

  it('takes values of node:http from lib/node-http.ts alone, which says why', () => {
    const offences = production.filter(({ text }) => /^import (?!type )[^;]*'(node:)?http'/m.test(text)).map(({ path }) => path);
    assert.deepEqual(offences, []);
  });
});

describe('every file', () => {
  it('opens with a comment that says what lives there', () => {
    // What a test is for, its names say.
    const files = everything.filter(({ path }) => !path.endsWith('.test.ts'));
    const offences = files.filter(({ text }) => !/^(#![^\n]*\n)?(\/\/ ?\S|\/\*\*)/.test(text)).map(({ path }) => path);
    assert.deepEqual(offences, []);
  });

  it(`of production has at most ${MAX_FILE_LINES} lines`, () => {
    const long = production.filter(({ text }) => text.trimEnd().split('\n').length > MAX_FILE_LINES).map(({ path }) => path);
    assertOnly(long, longFiles);
  });

  it(`of production has no function of more than ${MAX_FUNCTION_LINES} lines`, () => {
    const long = production.flatMap((file) =>
      functionLengths(file)
        .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
        .map(({ name }) => `${file.path} ${name}`),
    );
    assertOnly(long, longFunctions);
  });

  it('does without any', () => {
    // In tests the linter asks for a reason each time.
    assert.deepEqual(linesWith(/(?<![.\w'])\bany\b(?=\s*[;,)>\]|&=}]|\[\])(?<=[:<,|&(]\s*any|\bas any|Array<any)/, production), []);
  });

  it('does without decorators', () => {
    // The compiler refuses the rest of what Node cannot strip (erasableSyntaxOnly).
    assert.deepEqual(linesWith(/^\s*@\w+\(/, everything), []);
  });
});

describe('time and chance', () => {
  it('are arguments, except where they are made', () => {
    const pattern =
      /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(|(?<![.\w])set(Timeout|Interval|Immediate)\(|\brandomBytes\(|\brandomUUID\(|node:timers|AbortSignal\.timeout\(/;
    const files = production.filter(({ path }) => !/^src\/(platform|main)\//.test(path));
    const offenders = [...new Set(linesWith(pattern, files).map((line) => line.split(':')[0] ?? ''))];
    assertOnly(offenders, ownTime);
  });
});

describe('the reference for users', () => {
  it('says what the code says: `npm run docs` writes it', async () => {
    const pages = await referencePages();
    const stale = [...pages].filter(([path, text]) => read(path) !== text).map(([path]) => path);
    const strangers = repositoryFiles('docs/reference/**/*.md').filter((path) => !pages.has(path));
    assert.deepEqual([stale, strangers], [[], []], 'run `npm run docs` and commit what it writes; after a conflict in these files, too');
  });
});

describe('pages for people', () => {
  it('link to what is there', () => {
    assert.deepEqual(brokenLinks(), []);
  });
});

function read(path: string): string | undefined {
  const file = new URL(`../../${path}`, import.meta.url);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** "path:line: text" of each line of code that matches. */
function linesWith(pattern: RegExp, files: typeof src): string[] {
  return files.flatMap(({ path, code, text }) => {
    const original = text.split('\n');
    return code.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${original[index]?.trim()}`] : []));
  });
}

/** What was found is what was excepted, no more and no less. */
function assertOnly(found: readonly string[], exceptions: Readonly<Record<string, string>>): void {
  assert.deepEqual(
    found.filter((item) => !(item in exceptions)),
    [],
    'not excepted',
  );
  assert.deepEqual(
    Object.keys(exceptions).filter((item) => !found.includes(item)),
    [],
    'exceptions that nobody needs any more',
  );
}
