// `config ls`.
import { lsCommand } from '../shared/file-objects.ts';
import { configShape } from '../shared/shapes.ts';

export const command = lsCommand({ kind: 'config', shape: configShape });
