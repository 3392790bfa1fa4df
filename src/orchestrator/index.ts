// What the manager composes into control loops: the orchestrator (keys: service ids), the constraint enforcer (keys: node ids) and the reaper.
export { allEnforcerKeys, enforceConstraints, enforcerKeysOfEvent } from './enforcer.ts';
export { createOrchestratorKeys, type OrchestratorKeys } from './dependents.ts';
export { allReaperKeys, type ReaperDecision, reaperKeysOfEvent, reapTasks } from './reaper.ts';
export { reconcileService } from './service.ts';
