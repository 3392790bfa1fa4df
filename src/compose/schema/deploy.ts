// The form of a service's `deploy`.
import { bytes, duration, options, pairs, wordOrWords, words } from './forms.ts';
import { either, integer, listOf, number, object, type ObjectShape, oneOf, string, text } from './shape.ts';

function updateSettings(): ObjectShape {
  return object(
    { parallelism: integer, delay: duration, failure_action: string, monitor: duration, max_failure_ratio: number, order: oneOf('start-first', 'stop-first') },
    { keepEmpty: true },
  );
}

const count = either('must be a integer', { ...integer, expand: (node) => node }, string);

/** Devices that a container asks for: `gpus`, and `reservations.devices`. */
export const deviceReservation = object({
  capabilities: words,
  driver: string,
  count: { ...count, finish: (node) => (node.kind === 'scalar' && /^-?[0-9]+$/.test(String(node.value)) ? { ...node, value: Number(node.value) } : node) },
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
