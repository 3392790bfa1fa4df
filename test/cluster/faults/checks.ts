// What must be true of the swarm after every fault: nothing acknowledged is lost, all replicas run, one container per slot, and only those answer.
import { until } from '../../lib/namespace.ts';
import type { ClusterNode, TestCluster } from '../../lib/cluster.ts';
import type { History } from './history.ts';
import { type ApiNode, type ApiTask, get, MANAGERS, PORT, REPLICAS, SERVICE } from './machines.ts';

const SETTLE_MS = 60_000;
/** Beyond this a reader wants to know why. */
const SLOW_MS = 2_000;
const REQUESTS_PER_NODE = 12;
const runningTasks = `/tasks?filters=${encodeURIComponent(JSON.stringify({ service: [SERVICE], 'desired-state': ['running'] }))}`;

/** Tasks that are wanted and run, by the word of one manager. */
export async function tasksThatRun(manager: ClusterNode): Promise<readonly ApiTask[]> {
  return (await get<readonly ApiTask[]>(manager, runningTasks)).filter(({ Status }) => Status.State === 'running');
}

/** Ids of the service's tasks whose containers run on a machine, by the word of its engine. */
export async function containersOn(node: ClusterNode): Promise<readonly string[]> {
  const format = '{{.Label "com.docker.swarm.task.id"}}';
  const { code, stdout } = await node.engine.tryDocker(['ps', '--filter', `label=com.docker.swarm.service.name=${SERVICE}`, '--format', format]);
  if (code !== 0) throw new Error(`${node.name}: its engine does not answer`);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Resolves when the nodes that are up run exactly the wanted tasks; rejects with what is wrong when that takes longer than a minute. */
export async function untilSettled(cluster: TestCluster, up: readonly ClusterNode[] = cluster.nodes): Promise<void> {
  const startedAt = performance.now();
  let wrong = '';
  const settled = async () => {
    const found = await whatIsWrong(cluster, up).catch((error: unknown) => String(error));
    if (found === '' && performance.now() - startedAt > SLOW_MS) console.log(`    what took longest: ${wrong}`);
    wrong = found;
    return wrong === '';
  };
  await until('the swarm is as it should be', settled, SETTLE_MS).catch(() => {
    throw new Error(`a minute after the fault: ${wrong}`);
  });
}

async function whatIsWrong(cluster: TestCluster, up: readonly ClusterNode[]): Promise<string> {
  const managers = cluster.nodes.slice(0, MANAGERS).filter((node) => up.includes(node));
  const [first] = managers;
  if (first === undefined) throw new Error('no manager is up');
  const tasks = await tasksThatRun(first);
  if (tasks.length !== REPLICAS) return `${tasks.length} of ${REPLICAS} replicas run`;
  if (new Set(tasks.map(({ Slot }) => Slot)).size !== REPLICAS) return 'two tasks of a slot run';
  const containers = (await Promise.all(up.map(containersOn))).flat().sort();
  const wanted = tasks.map(({ ID }) => ID).sort();
  if (containers.join() !== wanted.join()) return `containers of ${containers.join(' ')} run, but wanted are ${wanted.join(' ')}`;
  for (const manager of managers) {
    const nodes = await get<readonly ApiNode[]>(manager, '/nodes');
    const ready = nodes.filter(({ Status }) => Status.State === 'ready').map(({ Description }) => Description.Hostname);
    if (ready.length !== up.length) return `${manager.name} finds ready: ${ready.join(' ')}`;
    const reachable = nodes.filter(({ ManagerStatus }) => ManagerStatus?.Reachability === 'reachable').length;
    if (reachable !== managers.length) return `${manager.name} reaches ${reachable} managers`;
    if (!nodes.some(({ ManagerStatus }) => ManagerStatus?.Leader === true)) return `${manager.name} knows no leader`;
    if (
      (await tasksThatRun(manager))
        .map(({ ID }) => ID)
        .sort()
        .join() !== wanted.join()
    )
      return `${manager.name} sees other tasks than ${first.name}`;
  }
  return '';
}

/** Everything the suite promises after a fault; rejects with all that does not hold. Answers the milliseconds until the tasks were as they should be. */
export async function assertWhole(cluster: TestCluster, history: History, up: readonly ClusterNode[] = cluster.nodes): Promise<number> {
  const startedAt = performance.now();
  await untilSettled(cluster, up);
  const settledMs = Math.round(performance.now() - startedAt);
  const managers = cluster.nodes.slice(0, MANAGERS).filter((node) => up.includes(node));
  await untilNothing('the history of writes', async () => (await Promise.all(managers.map((manager) => history.violations(manager)))).flat());
  await untilNothing('what answers on the published port', async () => wrongAnswers(cluster, up));
  return settledMs;
}

/** A follower may be a moment behind: what is wrong must go away by itself, soon. */
async function untilNothing(what: string, violations: () => Promise<readonly string[]>): Promise<void> {
  let found: readonly string[] = [];
  const none = async () => {
    found = await violations();
    return found.length === 0;
  };
  await until(what, none, 5_000).catch(() => {
    throw new Error(`${what}:\n${found.slice(0, 20).join('\n')}`);
  });
}

/** Asks the published port of every node that is up: each answer must come from a task that is wanted. */
async function wrongAnswers(cluster: TestCluster, up: readonly ClusterNode[]): Promise<readonly string[]> {
  const manager = cluster.nodes.slice(0, MANAGERS).find((node) => up.includes(node));
  if (manager === undefined) throw new Error('no manager is up');
  const wanted = new Set((await tasksThatRun(manager)).map(({ ID }) => ID));
  const answers = await Promise.all(up.map((node) => ask(cluster, node)));
  return answers
    .flat()
    .filter(({ answer }) => !wanted.has(answer))
    .map(({ node, answer }) => `port ${PORT} of ${node}: ${answer}`);
}

async function ask(cluster: TestCluster, node: ClusterNode): Promise<readonly { readonly node: string; readonly answer: string }[]> {
  const url = `http://${node.lanAddress}:${PORT}/`;
  const script = `for i in $(seq ${REQUESTS_PER_NODE}); do curl -s -m 3 ${url} || echo "failed $?"; done`;
  const { stdout } = await cluster.client.exec(['sh', '-c', script]);
  return stdout
    .trim()
    .split('\n')
    .map((answer) => ({ node: node.name, answer }));
}
