// A running stack as it could be deployed again: to the digest of its images and the versions of its secrets and configs.
import { convertProject } from '../convert/convert.ts';
import { NAMESPACE_LABEL } from '../convert/common.ts';
import { namedSpec, namesById } from '../plan/named.ts';
import type { ExistingObjects } from '../plan-types.ts';
import { printProject } from '../print.ts';
import type { ResolvedStack } from '../stack.ts';
import { exportStack } from './export.ts';

export interface Snapshot {
  readonly source: string;
  /** Without contents: secrets and configs are named by their versions, which stay in the swarm. */
  readonly stack: ResolvedStack;
}

export function snapshotStack(name: string, objects: ExistingObjects): Snapshot {
  const exported = exportStack(name, objects);
  const resolved = convertProject(exported, name);
  const names = namesById(objects);
  const own = objects.services.filter(({ spec }) => spec.labels[NAMESPACE_LABEL] === name).map(({ spec }) => namedSpec(spec, names));
  const services = resolved.services.flatMap((service) => {
    const spec = own.find((candidate) => candidate.name === service.spec.name);
    return spec === undefined ? [] : [{ ...service, spec }];
  });
  return { source: printProject(exported), stack: { ...resolved, services, secrets: [], configs: [], warnings: [] } };
}
