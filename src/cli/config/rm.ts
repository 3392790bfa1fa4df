// `config rm`.
import { rmCommand } from '../shared/file-objects.ts';
import { configShape } from '../shared/shapes.ts';

export const command = rmCommand({ kind: 'config', shape: configShape });
