// `npm test`: brings what the tests need, checks types and style, runs every test, and counts. The last line says how it went.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureDebianPackages } from './debian.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Groups run one after the other, the fast ones first; inside a group files run side by side. */
const groups = [
  { name: 'unit', files: 'src/**/*.test.ts', isolation: 'none', concurrency: 1 },
  { name: 'contracts, API and style', files: 'test/{contracts,api,tidy,scripts,compose}/**/*.test.ts', isolation: 'process', concurrency: 2 },
  { name: 'simulation', files: 'test/sim/**/*.test.ts', isolation: 'process', concurrency: 1 },
  { name: 'engine', files: 'test/{lib,engine}/**/*.test.ts', isolation: 'process', concurrency: 2 },
  { name: 'crash', files: 'test/crash/**/*.test.ts', isolation: 'process', concurrency: 1 },
  { name: 'cluster', files: 'test/cluster/**/*.test.ts', isolation: 'process', concurrency: 1 },
  { name: 'command line', files: 'test/cli/**/*.test.ts', isolation: 'process', concurrency: 2 },
  { name: 'walkthrough', files: 'test/walkthrough/**/*.test.ts', isolation: 'process', concurrency: 2 },
] as const;

/**
 * Its package brings a socket that systemd would listen on, where users' programs would find an engine that they never had: only where there is no systemd.
 * Elsewhere the tests with Podman run when it is there, and say so when it is not.
 */
const podman = existsSync('/run/systemd/system') ? {} : { podman: 'podman', '../lib/podman/netavark': 'netavark' };

/** What the tests with real engines need of a Debian machine. */
const packages = {
  ...podman,
  dockerd: 'docker.io',
  nft: 'nftables',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  busybox: 'busybox-static',
  curl: 'curl',
  ps: 'procps',
  tar: 'tar',
  etcd: 'etcd-server',
  bats: 'bats',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  tcpdump: 'tcpdump',
  slirp4netns: 'slirp4netns',
} as const;

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** A test that hangs is a failure, not a run that never ends. */
const TEST_TIMEOUT_MS = 10 * 60_000;
/** So is a file that neither ends nor says anything: Node's limit is for tests only, and a process that is stuck cannot look at a clock of its own. */
const SILENCE_MS = 15 * 60_000;

function check(): boolean {
  const result = spawnSync(process.execPath, [join(root, 'scripts', 'check.ts')], { stdio: 'inherit', cwd: root });
  return result.status === 0;
}

async function runGroup({ files: pattern, isolation, concurrency }: (typeof groups)[number], total: Count): Promise<void> {
  const files = globSync(pattern, { cwd: root })
    .sort()
    .map((file) => join(root, file));
  if (files.length === 0) return;
  const execArgv = ['--disable-warning=ExperimentalWarning', `--import=${pathToFileURL(join(root, 'scripts', 'test-file-end.ts')).href}`];
  const stream = run({ files, isolation, concurrency, cwd: root, timeout: TEST_TIMEOUT_MS, execArgv });
  const unwatch = endSilent(stream);
  const isTest = (data: { details: { type?: string }; name: string; file?: string }) => data.details.type !== 'suite' && !files.includes(join(root, data.name));
  stream.on('test:pass', (data) => {
    if (!isTest(data)) return;
    if (data.skip !== undefined || data.todo !== undefined) total.skipped++;
    else total.passed++;
  });
  stream.on('test:fail', (data) => {
    // A file that fails as a whole counts too, or a crash while loading would go unseen.
    total.failed++;
    // In full it comes at the end of the group, which may be many minutes away.
    const { message, cause } = data.details.error as Error;
    console.log(`FAILED: ${data.name} (${relative(root, data.file ?? '')}): ${cause instanceof Error ? cause.message : message}`);
  });
  const output = stream.compose(new spec());
  for await (const chunk of output) process.stdout.write(chunk as string);
  unwatch();
}

/** Ends the files that say nothing for SILENCE_MS, until the result is called. */
function endSilent(stream: ReturnType<typeof run>): () => void {
  let heardAt = Date.now();
  const heard = () => {
    heardAt = Date.now();
  };
  for (const event of ['test:dequeue', 'test:complete', 'test:stdout', 'test:stderr'] as const) stream.on(event, heard);
  const watch = setInterval(() => {
    if (Date.now() - heardAt < SILENCE_MS) return;
    const silent = testProcesses();
    for (const { pid, file } of silent) {
      console.log(`${file} has said nothing for ${SILENCE_MS / 60_000} minutes: it is ended`);
      process.kill(pid, 'SIGKILL');
    }
    if (silent.length === 0) {
      console.log('no test file runs any more, but something that one of them started holds its output: a leak');
      process.exit(1);
    }
    heard();
  }, 10_000);
  // Tests in this process end when nothing else keeps it.
  watch.unref();
  return () => clearInterval(watch);
}

/** The processes of test files that run now. */
function testProcesses(): readonly { readonly pid: number; readonly file: string }[] {
  const pids = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return pids.flatMap((pid) => {
    try {
      const file = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        .split('\0')
        .findLast((word) => word.endsWith('.test.ts'));
      return file === undefined ? [] : [{ pid, file: relative(root, file) }];
    } catch {
      // It has just ended.
      return [];
    }
  });
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const chosen = wanted.length === 0 ? groups : groups.filter(({ name }) => wanted.some((word) => name.includes(word)));
  if (wanted.length === 0) ensureDebianPackages(packages, 'the tests');
  const isClean = wanted.length > 0 || check();
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const group of chosen) {
    const startedAt = Date.now();
    console.log(`\n== ${group.name}`);
    await runGroup(group, total);
    console.log(`== ${group.name}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  }
  if (!isClean) console.log('\ntypes or style are not clean (see above)');
  console.log(`\n${total.passed + total.failed + total.skipped} tests: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exit(total.failed === 0 && total.passed > 0 && isClean ? 0 : 1);
}

await main();
