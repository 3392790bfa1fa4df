// Configs: like secrets, but shown with their data.
import type { Config } from '#domain/objects.ts';
import { decodeBase64, validateConfigSpec } from '#domain/validate/secret.ts';
import type { View } from '#domain/view.ts';
import { rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { ConfigControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { assertLabelsOnly, assertUnused, assertVersion } from './file-objects.ts';
import { matchesFileObject } from './filters.ts';
import { findConfig } from './lookup.ts';
import type { Turns } from './turns.ts';

export function createConfigControl({ store, random }: ControlDependencies, turns: Turns): ConfigControl {
  return {
    list: (filters) => [...store.view.list('config')].filter(({ id, spec }) => matchesFileObject(filters, id, spec.name, spec.labels)),
    get: (ref) => findConfig(store.view, ref),
    async create(spec) {
      const plain = validateConfigSpec(spec);
      const id = newId(random);
      const data = Buffer.from(plain).toString('base64');
      await store.update('control', (view) => {
        if (view.findByName('config', spec.name) !== undefined) throw rpcError('alreadyExists', `config ${spec.name} already exists`);
        return {
          changes: [{ action: 'create', object: { kind: 'config', id, version: 0, createdAt: 0, updatedAt: 0, spec: { ...spec, data } } }],
          result: undefined,
        };
      });
      return id;
    },
    async update(ref, version, spec) {
      const { id } = findConfig(store.view, ref);
      await store.update('control', (view) => {
        const config = present(view, id);
        assertLabelsOnly(config, spec.name, spec.data, (data) => Buffer.from(decodeBase64(data)).toString('base64') === config.spec.data);
        assertVersion(config, version);
        return { changes: [{ action: 'update', object: { ...config, spec: { ...config.spec, labels: spec.labels } } }], result: undefined };
      });
    },
    async remove(ref) {
      const { id } = findConfig(store.view, ref);
      await turns.take(() =>
        store.update('control', (view) => {
          const config = present(view, id);
          assertUnused(view, config);
          return { changes: [{ action: 'remove', object: config }], result: undefined };
        }),
      );
    },
  };
}

function present(view: View, id: string): Config {
  const config = view.get('config', id);
  if (config === undefined) throw rpcError('notFound', `config ${id} not found`);
  return config;
}
