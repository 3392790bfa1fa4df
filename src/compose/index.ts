// Compose files → a stack, and back. Pure: whoever calls brings a reader, the environment and the swarm's objects, and carries out what comes out.
// Specs are domain types; api/convert makes the API's JSON of them and back.

export type { ExistingObjects, FieldChange, FileStep, NetworkStep, PlanOptions, ServiceStep, StackPlan } from './plan-types.ts';
export type { Plain, Project } from './project.ts';
export type {
  ComposeWarning,
  Dependency,
  FileSource,
  ResolvedFile,
  ResolvedNetwork,
  ResolvedService,
  ResolvedStack,
  ResolvedVolume,
} from './stack.ts';

export { type LoadedProject, type LoadOptions, loadProject } from './load/load.ts';
export type { ComposeReader } from './load/session.ts';
export { imageNames, networkNames, type PrintOptions, printProject, profileNames, serviceNames, volumeNames } from './print.ts';
export { IMAGE_LABEL, NAMESPACE_LABEL } from './convert/common.ts';
export { type ContentSources, readContents } from './convert/contents.ts';
export { convertProject } from './convert/convert.ts';
export { formatWarnings } from './convert/warnings.ts';
export { exportSpecs, exportStack } from './export/export.ts';
export { type Snapshot, snapshotStack } from './export/snapshot.ts';
export { planStack } from './plan/plan.ts';
export { DIGEST_LABEL, LOGICAL_NAME_LABEL } from './plan/versions.ts';
