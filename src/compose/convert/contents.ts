// The contents of secrets and configs: read from files, variables, or the Compose file itself. Apart from the conversion, because printing and checking a stack
// must not read secrets.
import { Buffer } from 'node:buffer';
import { errorMessage } from '#lib/errors.ts';
import type { ComposeReader } from '../load/session.ts';
import type { Lookup } from '../load/template.ts';
import type { FileSource, ResolvedFile, ResolvedStack } from '../stack.ts';
import { composeError } from '../yaml/node.ts';

export interface ContentSources {
  readonly reader: ComposeReader;
  /** `LoadedProject.variable` */
  readonly variable: Lookup;
}

/** The stack with `data` of every secret and config that has a content of its own. Throws AppError for what is not there. */
export function readContents(stack: ResolvedStack, sources: ContentSources): ResolvedStack {
  return {
    ...stack,
    secrets: stack.secrets.map((file) => withData(file, 'secret', sources)),
    configs: stack.configs.map((file) => withData(file, 'config', sources)),
  };
}

function withData(file: ResolvedFile, kind: string, sources: ContentSources): ResolvedFile {
  const bytes = bytesOf(file.source, `${kind} ${file.key}`, sources);
  return bytes === undefined ? file : { ...file, data: Buffer.from(bytes).toString('base64') };
}

function bytesOf(source: FileSource, what: string, { reader, variable }: ContentSources): Uint8Array | undefined {
  switch (source.kind) {
    case 'content':
      return Buffer.from(source.content, 'utf8');
    case 'environment': {
      const value = variable(source.variable);
      if (value === undefined) throw composeError(undefined, `${what}: environment variable ${JSON.stringify(source.variable)} is required but not set`);
      return Buffer.from(value, 'utf8');
    }
    case 'file':
      return fileBytes(source.path, reader);
    default:
      return undefined;
  }
}

function fileBytes(path: string, reader: ComposeReader): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = reader.read(path);
  } catch (error) {
    throw composeError(undefined, errorMessage(error));
  }
  if (bytes === undefined) throw composeError(undefined, `open ${path}: no such file or directory`);
  return bytes;
}
