// The page about errors: codes and what they become, and the messages that are tables in the code.
import { httpStatusOfCode, rpcError, type ErrorCode } from '#lib/errors.ts';
import * as membershipTexts from '#main/membership-texts.ts';
import { explain, noSuitableNode, refusal } from '#scheduler/filters.ts';
import { code, page, plain, table } from './markdown.ts';

const adviceOf: Readonly<Record<keyof typeof refusal, string>> = {
  none: '',
  notReady: 'nodes that are down, paused or drained take no tasks: see `node ls`',
  resources: 'reserve less (`--reserve-cpu`, `--reserve-memory`, generic resources), or add nodes',
  plugin: 'a volume, network or log driver is not installed there',
  constraints: 'compare `service inspect --pretty` with the labels in `node inspect --pretty`',
  platform: "the image is not built for the nodes' platform",
  hostPort: 'a port published in host mode can be used once per node',
  maxReplicas: 'raise `--replicas-max-per-node`, or add nodes',
};

export function errorsPage(): string {
  return page(
    'Errors',
    'src/lib/errors.ts, src/scheduler/filters.ts and src/main/membership-texts.ts',
    'An error of the API is `{"message": "…"}` with a status, as with Docker. `skep` prints the message and ends with 1.',
    '## Codes',
    'The swarm part begins many messages with the code of its kind, as Docker does.',
    table(
      ['code', 'status', 'how a message begins'],
      (Object.entries(httpStatusOfCode) as [ErrorCode, number][]).map(([name, status]) => [name, String(status), beginning(name)]),
    ),
    '## Why a task waits',
    '`service ps` shows it as the error of a pending task, the most frequent reason first; `skep service explain` says it in a sentence, with what to do.',
    table(
      ['message', 'what to do'],
      Object.entries(refusal)
        .filter(([name]) => name !== 'none')
        .map(([name, number]) => [code(noSuitableNode(explain([number]))), adviceOf[name as keyof typeof refusal]]),
    ),
    '## About a node and its swarm',
    table(
      ['message'],
      Object.values(membershipTexts)
        .filter((text) => typeof text === 'string')
        .map((text) => [plain(text.replaceAll(/\s+/g, ' '))]),
    ),
  );
}

/** Codes that gRPC does not have begin nothing. */
function beginning(name: ErrorCode): string {
  const { message } = rpcError(name, '…');
  return message.toLowerCase().includes(`code = ${name.toLowerCase()} `) ? code(message) : '';
}
