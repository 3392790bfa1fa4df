// `docker stack config` as it was recorded, against our loader: what is the same, and each difference with its reason.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ComposeReader, loadProject, printProject } from '#compose/index.ts';
import { readLines, skipWithoutSharedData } from './shared-lines.ts';

interface OfflineCase {
  readonly case?: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly rc: number;
  readonly stdout: string;
  readonly stderr: string;
}

const sideFiles: Readonly<Record<string, string>> = {
  '/lab/s12/e1.env': 'E1=1\n',
  '/lab/s12/e2.env': 'E2=2\n',
};

function readerOf(files: Readonly<Record<string, string>>): ComposeReader {
  return { read: (path) => (files[path] === undefined ? undefined : new TextEncoder().encode(files[path])) };
}

function run({ argv, env, files }: OfflineCase): { readonly output: string; readonly problem: string } {
  const names = argv.filter((_word, index) => argv[index - 1] === '-c');
  const all = { ...sideFiles, ...Object.fromEntries(names.map((name, index) => [`/lab/s12/${name}`, files[index] ?? ''])) };
  try {
    const loaded = loadProject({
      files: names,
      workingDirectory: '/lab/s12',
      environment: { HOME: '/tmp', ...env },
      reader: readerOf(all),
      interpolate: !argv.includes('--skip-interpolation'),
    });
    return { output: printProject(loaded), problem: '' };
  } catch (error) {
    return { output: '', problem: (error as Error).message };
  }
}

/** What differs on purpose, by the name of the case. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/^interp-(18|19|20|21|22|23)$/, 'the Compose Specification has ${V:+alternative}'],
  [/^interp-(24|25|26|27|28|29|105|106|107|108|109|110)$/, 'a dollar is escaped in print, so that the output means the same when it is read again'],
  [/^interp-(36|37|38|39|40|41|42|44)$/, 'the Compose Specification nests variables in defaults'],
  [/^interp-(45|46|47|48|49|50|51|52|53|63|64|65)$/, 'a dollar that begins no variable is a dollar, as in Compose'],
  [/^interp-(78|79|80)$/, '$V-x is the variable V and then "-x"'],
  [/^cast-pids$/, 'numbers may be written as text everywhere'],
  [/^merge-/, 'files are merged by the Compose Specification'],
  [/^port-(127|\[::1\])/, 'the address is kept, and named in a warning when it is not honoured'],
  [/^vol-(174|175)$/, 'relabelling for SELinux is kept, and named in a warning'],
  [/^vol-(187|188|189)$|^svc-cmd-badquote$|^svc-mem-bad$/, 'the mistake is told with its path instead of "decoding failed"'],
  [/^cluster-vol$/, 'x- fields are kept as they were written'],
  [/^envfile/, 'the files of these cases were not recorded, and the Compose Specification reads quotes in them'],
  [/^svc-mem-int$/, 'sizes may be numbers'],
  [/^svc-(group_add|platform|pull|profiles|scale|devs|ports-name|runtime|uts)$|^top-(net-full|enable_ipv6)$/, 'a key of the Compose Specification'],
  [/^svc-oom$/, 'Docker drops oom_score_adj from its output'],
  [/^svc-dupkey$|^yaml-(dup|tab)$/, 'the place of a YAML mistake comes first'],
  [/^svc-badorder$/, 'the path is said once'],
  [/^top-vol-ext-driver$/, 'told when the stack is deployed'],
  [/^top-sec-(file-ext|empty)$/, 'a file that is not there is no folder'],
  [/^top-version/, 'any version will do'],
  [/^yaml-multi$/, 'a second document is a mistake, not silence'],
];

describe('docker stack config, as recorded', { skip: skipWithoutSharedData }, () => {
  const cases = readLines<OfflineCase>('recordings/12-stack-config-offline.jsonl').filter((one) => one.case !== undefined);
  const reasonOf = (name: string) => reasons.find(([pattern]) => pattern.test(name))?.[1];

  it('is answered the same, apart from what differs on purpose', () => {
    assert.ok(cases.length > 300);
    const different = cases.filter((one) => {
      const { output, problem } = run(one);
      const withoutPlace = problem.replace(/^[^ ]*:\d+:\d+: /, '');
      const isSame = one.rc === 0 ? output === one.stdout : withoutPlace.trim() === one.stderr.trim();
      return !isSame && reasonOf(one.case ?? '') === undefined;
    });
    assert.deepEqual(
      different.map((one) => `${one.case}: ${JSON.stringify(run(one))}`),
      [],
    );
  });

  it('fails where Docker fails, unless Compose allows it', () => {
    const accepted = cases.filter((one) => one.rc !== 0 && run(one).problem === '').map((one) => reasonOf(one.case ?? ''));
    assert.ok(accepted.every((reason) => reason !== undefined));
  });
});
