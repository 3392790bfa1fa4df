// `node test/beside/inputs.ts`: odd and invalid service specs, sent to dockerd's own swarm mode and to Skep, and where the two answer differently: in the status, in the
// words, or in the spec that is stored. Every field of a spec meets every odd value; what only makes sense together is written out. Nothing is started: services have no replicas.
import { startCluster } from '../lib/cluster.ts';
import { formSide, type Side } from './side.ts';
import { whole } from './odd-inputs.ts';
import { explained } from './odd-inputs-explained.ts';

const PLACEHOLDER = /[0-9a-z]{25}/g;

/** dockerd's handlers panic on some, and close the connection. */
const HUNG_UP = 'the connection is closed without an answer';

interface Outcome {
  readonly status: number;
  readonly text: string;
}

async function outcomes(side: Side): Promise<ReadonlyMap<string, Outcome>> {
  const results = new Map<string, Outcome>();
  const base = { Name: 'existing', TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' } }, Mode: { Replicated: { Replicas: 0 } } };
  await side.call('POST', '/services/create', base);
  const note = async (name: string, status: number, message: string, id: string | undefined) => {
    const stored = id === undefined ? undefined : (await side.call('GET', `/services/${id}`)).json?.Spec;
    results.set(name, { status, text: stored === undefined ? message.replaceAll(PLACEHOLDER, '<id>') : sortedText(stored) });
  };
  for (const { name, body, update, query = '' } of whole) {
    if (update === true) {
      const { ID, Version } = (await side.call('GET', '/services/existing')).json;
      const answer = await side.call('POST', `/services/${ID}/update?version=${Version.Index}${query}`, body);
      await note(name, answer.status, answer.json?.message ?? answer.text, answer.status < 300 ? ID : undefined);
      continue;
    }
    const answer = await side.call('POST', '/services/create', body).catch(() => undefined);
    if (answer === undefined) {
      results.set(name, { status: 0, text: HUNG_UP });
      continue;
    }
    await note(name, answer.status, answer.json?.message ?? answer.text, answer.status < 300 ? answer.json.ID : undefined);
    if (answer.status < 300) await side.call('DELETE', `/services/${answer.json.ID}`);
  }
  return results;
}

function sortedText(value: unknown): string {
  const sorted = (part: unknown): unknown =>
    Array.isArray(part)
      ? part.map(sorted)
      : part !== null && typeof part === 'object'
        ? Object.fromEntries(
            Object.entries(part)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, child]) => [key, sorted(child)]),
          )
        : part;
  return JSON.stringify(sorted(value));
}

const cluster = await startCluster({ nodes: 1, args: ['--log-level', 'warn'] });
let different = 0;
try {
  const swarm = await formSide('swarm', cluster);
  const theirs = await outcomes(swarm);
  await swarm.stop();
  const skep = await formSide('skep', cluster);
  const ours = await outcomes(skep);
  await skep.stop();
  for (const [name, { status, text }] of theirs) {
    const own = ours.get(name);
    if (own === undefined || (own.status === status && own.text === text)) continue;
    const why = status === 0 ? 'an answer is better than none' : explained(name, text, own.text);
    if (why === undefined) different++;
    console.log(`${why === undefined ? 'DIFFERS' : `differs on purpose (${why})`}: ${name}\n    - ${status} ${text}\n    + ${own.status} ${own.text}`);
  }
  console.log(`${theirs.size} requests, ${different} answered differently without a reason`);
} finally {
  await cluster.stop();
}
process.exit(different === 0 ? 0 : 1);
