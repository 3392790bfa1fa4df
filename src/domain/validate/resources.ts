// Resources, restart policy, placement: the parts of a task spec that do not depend on its runtime.
import { rpcError } from '#lib/errors.ts';
import { parseConstraints } from '../constraint.ts';
import type { Placement, ResourceRequirements, RestartPolicy } from '../spec.ts';

const MIN_NANO_CPUS = 1_000_000;
const MIN_MEMORY_BYTES = 4 * 1024 * 1024;

/** Zero means unset. */
export function validateResources({ limits, reservations }: ResourceRequirements): void {
  for (const resources of [limits, reservations]) {
    const { nanoCpus = 0, memoryBytes = 0 } = resources ?? {};
    if (nanoCpus !== 0 && nanoCpus < MIN_NANO_CPUS) throw rpcError('invalidArgument', `invalid cpu value ${shortest(nanoCpus / 1e9)}: Must be at least 0.001`);
    if (memoryBytes !== 0 && memoryBytes < MIN_MEMORY_BYTES) throw rpcError('invalidArgument', `invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
}

export function validateRestartPolicy({ delayNs = 0, windowNs = 0 }: RestartPolicy): void {
  if (delayNs < 0) throw rpcError('invalidArgument', 'TaskSpec: restart-delay cannot be negative');
  if (windowNs < 0) throw rpcError('invalidArgument', 'TaskSpec: restart-window cannot be negative');
}

export function validatePlacement({ constraints }: Placement): void {
  parseConstraints(constraints ?? []);
}

/** Go's %g: an exponent of two digits from 0.0001 downwards. */
function shortest(value: number): string {
  const text = value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
