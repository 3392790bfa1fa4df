// One side of a comparison: a swarm of several nodes behind one API, Skep's or dockerd's own, and what was seen of its services while a scenario ran.
// The engines are the same; the two swarms are formed on them one after the other.
import { Agent } from 'node:http';
import { until } from '../lib/engine.ts';
import { type ClusterNode, joinAddress, type TestCluster } from '../lib/cluster.ts';
import { sendJson } from '../lib/http.ts';
import { createRecorder, type Recorder } from './recorder.ts';

export type SideName = 'swarm' | 'skep';

export interface Answer {
  readonly status: number;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the daemon says; scenarios read a few fields of it
  readonly json: any;
}

export interface Side {
  readonly name: SideName;
  /** Ids of the nodes: the manager's first. */
  readonly nodeIds: readonly string[];
  readonly nodes: readonly ClusterNode[];
  readonly recorder: Recorder;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  stop(): Promise<void>;
}

export async function formSide(name: SideName, { nodes, manager }: TestCluster): Promise<Side> {
  const docker = (node: ClusterNode, ...args: string[]) => (name === 'swarm' ? node.engine.docker(...args) : node.docker(...args));
  const socket = name === 'swarm' ? manager.engine.socket : manager.socket;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const call: Side['call'] = (method, path, body) => sendJson({ agent, socketPath: socket, method, path: `/v1.41${path}`, body });
  await docker(manager, 'swarm', 'init', '--advertise-addr', manager.lanAddress);
  const token = await docker(manager, 'swarm', 'join-token', '-q', 'worker');
  for (const node of nodes.filter((node) => node !== manager))
    await docker(node, 'swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, joinAddress(manager));
  const nodeIds = await Promise.all(nodes.map((node) => docker(node, 'info', '--format', '{{.Swarm.NodeID}}')));
  await until('all nodes are ready', async () => {
    const { json } = await call('GET', '/nodes');
    return json.filter((node: { Status: { State: string } }) => node.Status.State === 'ready').length === nodes.length;
  });
  const recorder = createRecorder({ socket, call, nodeIds });
  return {
    name,
    nodeIds,
    nodes,
    recorder,
    call,
    async stop() {
      await recorder.stop();
      agent.destroy();
      for (const node of nodes.toReversed()) await docker(node, 'swarm', 'leave', '--force');
      await until('nothing of it is left', async () => {
        const left = await Promise.all(nodes.map(({ engine }) => engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name')));
        return left.every((ids) => ids === '');
      });
    },
  };
}
