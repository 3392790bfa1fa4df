// The form of a service's `deploy`.
import { scalar } from '../yaml/node.ts';
import { bytes, duration, options, pairs, wordOrWords, words } from './forms.ts';
import { integer, listOf, number, object, type ObjectShape, oneOf, type ScalarShape, string, text } from './shape.ts';

function updateSettings(): ObjectShape {
  return object(
    { parallelism: integer, delay: duration, failure_action: string, monitor: duration, max_failure_ratio: number, order: oneOf('start-first', 'stop-first') },
    { keepEmpty: true },
  );
}

/** A number, or `all`. */
const count: ScalarShape = {
  ...text,
  finish(node, path, { report }) {
    const said = node.kind === 'scalar' ? String(node.value) : '';
    if (/^-?[0-9]+$/.test(said)) return scalar(Number(said), node.mark);
    if (said === 'all') return node;
    report(node.mark, `${path} must be a number or "all"`);
    return undefined;
  },
};

/** Devices that a container asks for: `gpus`, and `reservations.devices`. */
export const deviceReservation = object({
  capabilities: words,
  driver: string,
  count,
  device_ids: words,
  options: pairs,
});

const resources = object({
  limits: object({ cpus: text, memory: bytes, pids: integer }, { keepEmpty: true }),
  reservations: object(
    {
      cpus: text,
      memory: bytes,
      generic_resources: listOf(object({ discrete_resource_spec: object({ kind: string, value: integer }) })),
      devices: listOf(deviceReservation),
    },
    { keepEmpty: true },
  ),
});

export const deploy: ObjectShape = object(
  {
    mode: string,
    replicas: integer,
    labels: pairs,
    update_config: updateSettings(),
    rollback_config: updateSettings(),
    resources,
    restart_policy: object({ condition: string, delay: duration, max_attempts: integer, window: duration }, { keepEmpty: true }),
    placement: object({ constraints: wordOrWords, preferences: listOf(object({ spread: string })), max_replicas_per_node: integer }),
    endpoint_mode: string,
  },
  { nullable: true },
);

export const logging: ObjectShape = object({ driver: string, options }, { merge: 'logging' });
