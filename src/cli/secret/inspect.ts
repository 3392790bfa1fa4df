// `secret inspect`.
import { inspectCommand } from '../shared/file-objects.ts';
import { secretShape } from '../shared/shapes.ts';

export const command = inspectCommand({ kind: 'secret', shape: secretShape });
