// All pages of docs/reference, by their path in the repository.
import { apiPage } from './api.ts';
import { commandPages } from './commands.ts';
import { composePage } from './compose.ts';
import { daemonPage } from './daemon.ts';
import { errorsPage } from './errors.ts';

export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>(await commandPages());
  pages.set('skepd.md', daemonPage());
  pages.set('compose.md', composePage());
  pages.set('api.md', apiPage());
  pages.set('errors.md', errorsPage());
  return new Map([...pages].map(([name, text]) => [`docs/reference/${name}`, text]));
}
