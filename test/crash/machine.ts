// How a machine looks: processes, containers, networks, devices, addresses, routes, rules, namespaces, mounts and files, to be compared with how it
// looked before.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestEngine, until } from '../lib/engine.ts';

/** What is compared: a command each, whose lines are the facts. */
const FACTS: Readonly<Record<string, string>> = {
  containers: 'docker ps -a --format "{{.Names}}"',
  networks: 'docker network ls --format "{{.Name}} {{.Driver}}"',
  volumes: 'docker volume ls -q',
  // Without the carrier: docker0 has one while a container of anybody uses it.
  devices: 'ip -o link | sed "s/^[0-9]*: //; s/: .*//; s/@.*//"',
  addresses: 'ip -o addr show scope global; ip -o addr show dev lo',
  rules: 'ip rule; ip -6 rule',
  routes: 'ip route show table all | grep -v "^local\\|^broadcast" | sed "s/ linkdown//; s/ *$//"',
  nftables: 'nft -s list ruleset',
  iptables: 'iptables-save | grep -v "^#" | sed "s/ *\\[[0-9]*:[0-9]*\\]//"',
  'legacy iptables': 'iptables-legacy-save 2>/dev/null | grep -v "^#" | sed "s/ *\\[[0-9]*:[0-9]*\\]//"',
  namespaces: 'ls /run/netns /var/run/docker/netns 2>/dev/null',
  mounts: 'cut -d" " -f5,10- /proc/self/mountinfo',
  files: 'find /run /etc/docker -not -path "*/containerd/*" -not -path "*/runtime-runc/*" | sort',
  'state of others': 'ls -d /var/lib/skep /etc/skep /run/skep 2>/dev/null',
  settings:
    'sysctl -a 2>/dev/null | grep -E "^net\\.ipv[46]\\.(ip_forward|conf\\.(all|default|lo|uplink|docker0)\\.(rp_filter|route_localnet|src_valid_mark|forwarding|arp_.*))|^net\\.bridge"',
};

export type Snapshot = Readonly<Record<string, readonly string[]>>;

export async function takeSnapshot(engine: TestEngine): Promise<Snapshot> {
  const facts = await Promise.all(
    Object.entries(FACTS).map(async ([name, command]): Promise<[string, readonly string[]]> => {
      const { stdout } = await engine.exec(['sh', '-c', command], { env: { DOCKER_HOST: `unix://${engine.socket}` } });
      return [
        name,
        stdout
          .split('\n')
          .filter((line) => line.trim() !== '')
          .toSorted(),
      ];
    }),
  );
  return { ...Object.fromEntries(facts), processes: processesOf(engine) };
}

/** Command lines of everything that lives in the node's process namespace, but for what asks the questions. */
function processesOf({ procRoot }: TestEngine): readonly string[] {
  const lines = readdirSync(procRoot)
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => {
      try {
        return readFileSync(`${procRoot}/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      } catch {
        return '';
      }
    });
  return lines.filter((line) => line !== '' && !/^(sh -c|ls|cut|find|sort|grep|sed|ip|nft|sysctl|docker|iptables\S*) /.test(line)).toSorted();
}

/** What came and went, each as one line. */
export function differences(before: Snapshot, after: Snapshot): readonly string[] {
  return Object.keys(before).flatMap((name) => {
    const [old = [], now = []] = [before[name], after[name]];
    return [
      ...now.filter((line) => !old.includes(line)).map((line) => `${name}: + ${line}`),
      ...old.filter((line) => !now.includes(line)).map((line) => `${name}: - ${line}`),
    ];
  });
}

/** Waits a little for it. `ignore`: facts that this test has nothing to say about. */
export async function assertAsBefore(engine: TestEngine, before: Snapshot, ignore?: RegExp): Promise<void> {
  let left: readonly string[] = [];
  await until(
    'the machine is as before',
    async () => {
      left = differences(before, await takeSnapshot(engine)).filter((line) => !ignore?.test(line));
      return left.length === 0;
    },
    15_000,
  ).catch(() => assert.deepEqual(left, []));
}
