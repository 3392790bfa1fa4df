import { testStoreBackend } from '../../test/contracts/store-backend.ts';
import { createMemoryBackend } from './memory.ts';

testStoreBackend('memory', async () => {
  const backend = createMemoryBackend();
  return { backend, reopen: async () => backend };
});
