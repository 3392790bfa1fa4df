// `service inspect`.
import type { NetworkResource } from '#docker-api/network.ts';
import type { Service } from '#docker-api/service.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { inspect } from '../format/inspect.ts';
import { segment } from '../shared/each.ts';
import { inspectFormatFlag, jsonFlag, prettyFlag } from '../shared/options.ts';
import { inspectPretty, wantsPretty, withJson } from '../shared/pretty.ts';
import { serviceShape } from '../shared/shapes.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [inspectFormatFlag, prettyFlag, jsonFlag],
  completes: 'service',
  async run(invocation) {
    const client = await invocation.client();
    const fetch = (reference: string) =>
      client.text('GET', `/services/${segment(reference)}`, { query: { insertDefaults: true } }).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'notFound') throw new AppError('notFound', `Error: no such service: ${reference}`);
        throw error;
      });
    if (wantsPretty(invocation)) return inspectPretty(invocation, fetch, (text) => prettyText(invocation, text));
    return inspect(withJson(invocation), { references: invocation.args, fetch, shape: serviceShape });
  },
};

async function prettyText(invocation: Invocation, text: string): Promise<string> {
  const { prettyService } = await import('./pretty.ts');
  const service = JSON.parse(text) as Service;
  const client = await invocation.client();
  const names = await Promise.all(
    (service.Spec.TaskTemplate?.Networks ?? []).map(async ({ Target = '' }) =>
      client
        .call<NetworkResource>('GET', `/networks/${segment(Target)}`, { query: { scope: '' } })
        .then(({ Name }) => Name)
        .catch(() => Target),
    ),
  );
  return prettyService(service, names, invocation.context.clock.now());
}
