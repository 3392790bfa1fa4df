// `secret ls`.
import { lsCommand } from '../shared/file-objects.ts';
import { secretShape } from '../shared/shapes.ts';

export const command = lsCommand({ kind: 'secret', shape: secretShape });
