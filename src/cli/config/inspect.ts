// `config inspect`.
import { inspectCommand } from '../shared/file-objects.ts';
import { configShape } from '../shared/shapes.ts';

export const command = inspectCommand({ kind: 'config', shape: configShape });
