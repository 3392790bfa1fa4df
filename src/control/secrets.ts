// Secrets: sealed before they reach the store, never shown again.
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '#domain/objects.ts';
import { decodeBase64, validateSecretSpec } from '#domain/validate/secret.ts';
import type { View } from '#domain/view.ts';
import { rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { SecretControl } from './control.ts';
import type { ControlDependencies, Sealer } from './dependencies.ts';
import { assertLabelsOnly, assertUnused, assertVersion } from './file-objects.ts';
import { matchesFileObject } from './filters.ts';
import { findSecret } from './lookup.ts';
import type { Turns } from './turns.ts';
import { visibleSecret } from './visible.ts';

export function createSecretControl({ store, random, sealer }: ControlDependencies, turns: Turns): SecretControl {
  return {
    list: (filters) => [...store.view.list('secret')].filter(({ id, spec }) => matchesFileObject(filters, id, spec.name, spec.labels)).map(visibleSecret),
    get: (ref) => visibleSecret(findSecret(store.view, ref)),
    async create(spec) {
      const plain = validateSecretSpec(spec);
      // No plugin can be found, because none is looked for: data comes with the request.
      if (spec.driver !== undefined) throw rpcError('unknown', `plugin "${spec.driver.name}" not found`);
      const id = newId(random);
      const data = sealer.seal(plain, sealContexts.secret(id));
      await store.update('control', (view) => {
        if (view.findByName('secret', spec.name) !== undefined) throw rpcError('alreadyExists', `secret ${spec.name} already exists`);
        return {
          changes: [{ action: 'create', object: { kind: 'secret', id, version: 0, createdAt: 0, updatedAt: 0, spec: { ...spec, data } } }],
          result: undefined,
        };
      });
      return id;
    },
    async update(ref, version, spec) {
      const { id } = findSecret(store.view, ref);
      await store.update('control', (view) => {
        const secret = present(view, id);
        assertLabelsOnly(secret, spec.name, spec.data, (data) => isSameData(sealer, secret, data));
        assertVersion(secret, version);
        return { changes: [{ action: 'update', object: { ...secret, spec: { ...secret.spec, labels: spec.labels } } }], result: undefined };
      });
    },
    async remove(ref) {
      const { id } = findSecret(store.view, ref);
      await turns.take(() =>
        store.update('control', (view) => {
          const secret = present(view, id);
          assertUnused(view, secret);
          return { changes: [{ action: 'remove', object: secret }], result: undefined };
        }),
      );
    },
  };
}

function present(view: View, id: string): Secret {
  const secret = view.get('secret', id);
  if (secret === undefined) throw rpcError('notFound', `secret ${id} not found`);
  return secret;
}

function isSameData(sealer: Sealer, { id, spec }: Secret, data: string): boolean {
  const wanted = decodeBase64(data);
  const stored = spec.data === undefined ? new Uint8Array() : sealer.open(spec.data, sealContexts.secret(id));
  return wanted.length === stored.length && timingSafeEqual(wanted, stored);
}
