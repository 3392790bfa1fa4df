// Nodes: JSON ↔ domain.
import type { Node as WireNode, NodeSpec as WireNodeSpec } from '#docker-api/node.ts';
import type { Node, NodeDescription } from '#domain/objects.ts';
import { portsInUseText } from '#domain/ports-in-use.ts';
import type { NodeAvailability, NodeSpec } from '#domain/spec.ts';
import { type AppError } from '#lib/errors.ts';
import { compact, invalid, memoized, metaToJson, nonEmpty, oneOf, optionalMap, quoted, sortedMap } from './common.ts';
import { genericResourcesToJson, platformToJson } from './task-spec.ts';

const availabilities = ['active', 'pause', 'drain'] as const satisfies readonly NodeAvailability[];

/** Throws AppError `invalidArgument`: role and availability must be given. */
export function nodeSpecFromJson(wire: WireNodeSpec): NodeSpec {
  const role = oneOf(['worker', 'manager'], wire.Role?.toLowerCase());
  if (role === undefined) throw invalid(`invalid Role: ${quoted(wire.Role ?? '')}`);
  const availability = oneOf(availabilities, wire.Availability?.toLowerCase());
  if (availability === undefined) throw invalid(`invalid Availability: ${quoted(wire.Availability ?? '')}`);
  return compact<NodeSpec>({ name: nonEmpty(wire.Name), labels: wire.Labels ?? {}, role, availability });
}

/** The availability asked for in `swarm init` and `swarm join`; none given means active. `refuse` makes the error of the place. */
export function availabilityFromJson(value: string | undefined, refuse: (message: string) => AppError): NodeAvailability {
  if (!value) return 'active';
  const availability = oneOf(availabilities, value.toLowerCase());
  if (availability === undefined) throw refuse(`invalid Availability: ${quoted(value)}`);
  return availability;
}

export function nodeSpecToJson(spec: NodeSpec): WireNodeSpec {
  return { Name: nonEmpty(spec.name), Labels: sortedMap(spec.labels), Role: spec.role, Availability: spec.availability };
}

export function nodeToJson(node: Node): WireNode {
  const { spec, status, manager } = node;
  return {
    ...metaToJson(node),
    Spec: nodeSpecToJson(spec),
    Description: descriptionToJson(node.description),
    Status: { State: status.state, Message: nonEmpty(status.message) ?? portMessage(node.description), Addr: nonEmpty(status.address) },
    ManagerStatus: manager && { Leader: nonEmpty(manager.leader), Reachability: manager.reachability, Addr: nonEmpty(manager.address) },
  };
}

function portMessage(description: NodeDescription | undefined): string | undefined {
  const ports = description?.portsInUse ?? [];
  return ports.length === 0 ? undefined : portsInUseText(ports);
}

export const nodeToText = memoized((node: Node) => JSON.stringify(nodeToJson(node)));

function descriptionToJson(description: NodeDescription | undefined): WireNode['Description'] {
  if (description === undefined) return { Platform: {}, Resources: {}, Engine: {}, TLSInfo: {} };
  const { resources, engine, tls } = description;
  return {
    Hostname: nonEmpty(description.hostname),
    Platform: platformToJson(description.platform),
    Resources: {
      NanoCPUs: nonEmpty(resources.nanoCpus),
      MemoryBytes: nonEmpty(resources.memoryBytes),
      GenericResources: genericResourcesToJson(resources.generic),
    },
    Engine: {
      EngineVersion: nonEmpty(engine.version),
      Labels: optionalMap(engine.labels),
      Plugins: nonEmpty(engine.plugins.map(({ type, name }) => ({ Type: type, Name: name }))),
    },
    TLSInfo: tls
      ? { TrustRoot: nonEmpty(tls.trustRoot), CertIssuerSubject: nonEmpty(tls.issuerSubject), CertIssuerPublicKey: nonEmpty(tls.issuerPublicKey) }
      : {},
  };
}
