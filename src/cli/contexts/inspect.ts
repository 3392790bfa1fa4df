// `context inspect`: without names, the context in use.
import { contextFolders, readContext, tlsFilesOf } from '#client/contexts.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { inspect } from '../format/inspect.ts';
import { inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { withJson } from '../shared/pretty.ts';

const IN_MEMORY = '<IN MEMORY>';

export const command: CommandSpec = {
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  arguments: { minimum: 0 },
  flags: [inspectFormatFlag, jsonFlag],
  completes: 'context',
  async run(invocation) {
    const references = invocation.args.length === 0 ? [invocation.contexts.current] : invocation.args;
    return inspect(withJson(invocation), { references, fetch: async (name) => JSON.stringify(inspected(invocation, name)) });
  },
};

function inspected({ config, contexts }: Invocation, name: string): object {
  if (name === 'default') {
    const docker = { Host: contexts.defaultAddress, SkipTLSVerify: false };
    return { Name: name, Metadata: {}, Endpoints: { docker }, TLSMaterial: {}, Storage: { MetadataPath: IN_MEMORY, TLSPath: IN_MEMORY } };
  }
  const folders = contextFolders(config.folder, name);
  const files = tlsFilesOf(config.folder, name);
  return {
    ...readContext(config.folder, name),
    TLSMaterial: files.length === 0 ? {} : { docker: files },
    Storage: { MetadataPath: folders.metadata, TLSPath: folders.tls },
  };
}
