// The front of the guestbook: a page with all entries and a form. It keeps nothing itself, so it can run in any number of replicas;
// the entries live in the service `store`, which it reaches by name.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const store = process.env.STORE_URL ?? 'http://store:8081';
const title = process.env.TITLE ?? 'Guestbook';

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

function page(entries, client) {
  const items = entries.map(({ text, at }) => `<li>${escape(text)} <small>${escape(at)}</small></li>`).join('\n');
  return `<!doctype html><meta charset="utf-8"><title>${escape(title)}</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}small{color:#777}input{font:inherit;padding:.3rem;width:70%}</style>
<h1>${escape(title)}</h1>
<form method="post"><input name="text" maxlength="200" required autofocus placeholder="Say hello"> <button>Sign</button></form>
<ul>${items || '<li>Nobody has signed yet.</li>'}</ul>
<p><small>Served by ${escape(hostname())} to ${escape(client)}. Reload to see the other replicas.</small></p>`;
}

async function readBody(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 10_000) throw new Error('too long');
  }
  return body;
}

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/healthz') return response.end('ok\n');
    if (request.method === 'POST') {
      const text = new URLSearchParams(await readBody(request)).get('text')?.trim();
      if (text) await fetch(`${store}/entries`, { method: 'POST', body: text, signal: AbortSignal.timeout(3_000) });
      return response.writeHead(303, { location: '/' }).end();
    }
    const answer = await fetch(`${store}/entries`, { signal: AbortSignal.timeout(3_000) });
    const client = request.socket.remoteAddress?.replace('::ffff:', '') ?? '';
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(await answer.json(), client));
  } catch (error) {
    response.writeHead(502, { 'content-type': 'text/plain' }).end(`the store does not answer: ${error.cause?.message ?? error.message}\n`);
  }
});

server.listen(8080, () => console.log(`web listens on 8080, entries come from ${store}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)));
