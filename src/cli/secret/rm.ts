// `secret rm`.
import { rmCommand } from '../shared/file-objects.ts';
import { secretShape } from '../shared/shapes.ts';

export const command = rmCommand({ kind: 'secret', shape: secretShape });
