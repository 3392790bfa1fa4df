// `npm test`: brings what the tests need, checks types and style, runs every test, and counts. The last line says how it went.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
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

function check(): boolean {
  const result = spawnSync(process.execPath, [join(root, 'scripts', 'check.ts')], { stdio: 'inherit', cwd: root });
  return result.status === 0;
}

async function runGroup({ files: pattern, isolation, concurrency }: (typeof groups)[number], total: Count): Promise<void> {
  const files = globSync(pattern, { cwd: root })
    .sort()
    .map((file) => join(root, file));
  if (files.length === 0) return;
  const stream = run({ files, isolation, concurrency, cwd: root, timeout: TEST_TIMEOUT_MS, execArgv: ['--disable-warning=ExperimentalWarning'] });
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
