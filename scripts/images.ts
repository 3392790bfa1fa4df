// `npm run images -- examples/todo …`: makes the images of examples on the engine behind DOCKER_HOST, or else on the one that `npm start` uses.
import { answersPing } from './docker-api.ts';
import { ensureEngine } from './engine.ts';
import { composeFileOf, ensureImages } from './example.ts';
import { ownAddress, stateFolder } from './paths.ts';

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error('usage: npm run images -- FOLDER|FILE...   (examples/todo, examples/web, examples/voting)');
  process.exit(1);
}
try {
  const given = process.env['DOCKER_HOST'] ?? '';
  const address = given !== '' ? given : (await answersPing(ownAddress)) ? ownAddress : await ensureEngine(ownAddress, stateFolder);
  for (const folder of folders) await ensureImages(address, [composeFileOf(folder)]);
} catch (error) {
  console.error(`skep: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
