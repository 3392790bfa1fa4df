// The back of the guestbook: keeps entries in a file on a volume, one JSON line each.
import { appendFile, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const file = process.env.DATA_FILE ?? '/data/entries.jsonl';

async function entries() {
  const lines = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST') {
      let text = '';
      for await (const chunk of request) text += chunk;
      await appendFile(file, `${JSON.stringify({ text: text.slice(0, 200), at: new Date().toISOString() })}\n`);
      return response.writeHead(201).end();
    }
    const last = (await entries()).slice(-50).reverse();
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(last));
  } catch (error) {
    response.writeHead(500).end(`${error.message}\n`);
  }
});

server.listen(8081, () => console.log(`store listens on 8081, data in ${file}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)));
