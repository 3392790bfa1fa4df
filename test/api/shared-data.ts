// The recorded exchanges, samples and schemas that lie beside the repository (../shared/data). They are not part of it: tests that need them are
// skipped where they are absent.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../../shared/data/', import.meta.url);

/** For `test(name, { skip })`: false, or why the test cannot run. */
export const skipWithoutSharedData: string | false = existsSync(folder) ? false : `${folder.pathname} is not there`;

export function sampleNames(prefix: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(new URL('samples/', folder))
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.replace(/\.json$/, ''));
}

// oxlint-disable-next-line typescript/no-explicit-any -- recorded JSON has whatever shape it was recorded with
export type Recorded = Record<string, any>;

export function readSample(name: string): Recorded {
  return JSON.parse(readFileSync(new URL(`samples/${name}.json`, folder), 'utf8')) as Recorded;
}

export interface RecordedExchange {
  /** File and line of the recording, and the CLI's command if it was one. */
  readonly origin: string;
  /** Which of the recording's nodes was asked: n1 … n4. */
  readonly node: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
}

interface RawExchange {
  readonly method: string;
  readonly path: string;
  readonly reqHeaders?: Record<string, string>;
  readonly reqBody?: unknown;
  readonly status: number;
  readonly respBody?: unknown;
}

/** Every HTTP exchange of a recording, in its order: those of the CLI's commands and those made directly. */
export function readRecording(name: string): readonly RecordedExchange[] {
  const lines = readFileSync(new URL(`recordings/${name}.jsonl`, folder), 'utf8')
    .split('\n')
    .filter(Boolean);
  return lines.flatMap((line, index) => {
    const entry = JSON.parse(line) as Recorded;
    const raw: readonly RawExchange[] = entry['kind'] === 'api' ? [entry as RawExchange] : ((entry['http'] ?? []) as readonly RawExchange[]);
    const command = entry['argv'] === undefined ? '' : ` ${(entry['argv'] as string[]).join(' ')}`;
    return raw.map((exchange) => ({
      origin: `${name}:${index + 1}${command}`,
      node: String(entry['node'] ?? ''),
      method: exchange.method,
      path: exchange.path,
      headers: exchange.reqHeaders ?? {},
      body: exchange.reqBody ?? undefined,
      status: exchange.status,
      answer: exchange.respBody ?? undefined,
    }));
  });
}

export function openApiText(): string {
  return readFileSync(new URL('docker-engine-api-v1.50.yaml', folder), 'utf8');
}
