// A process that commits as fast as it can until it is killed: pairs of objects, several commits at a time. It says on standard output what was
// acknowledged, one number per line, before it goes on.
import { writeSync } from 'node:fs';
import { createStore } from '#store/create-store.ts';
import { makeService } from '#store/fixtures.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';

const [path = '', first = '0'] = process.argv.slice(2);
const store = await createStore({ backend: openSqliteBackend({ path }) });
let next = Number(first);
await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (;;) {
      const number = next++;
      await store.commit('control', [
        { action: 'create', object: makeService(`left-${number}`) },
        { action: 'create', object: makeService(`right-${number}`) },
      ]);
      writeSync(1, `${number}\n`);
    }
  }),
);
