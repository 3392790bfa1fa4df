// Compose files in the style of well-known applications, as people have them: each becomes a stack, with a warning by name for what a swarm does not do, and
// keeps its meaning through print and export.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { convertProject, exportStack, loadProject, planStack, printProject, type ResolvedStack } from '#compose/index.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { validateServiceSpec } from '#domain/validate/service.ts';

const folder = `${import.meta.dirname}/applications`;
const environment = { EMAIL: 'a@example.com', DOMAIN: 'example.com', APP_VERSION: '1.0', PIHOLE_PASSWORD: 'x', HOME: '/root' };
const reader = { read: (path: string) => (existsSync(path) ? readFileSync(path) : undefined) };
const SALT = '00'.repeat(16);

/** Services, and the options that are warned about. */
const expected: Readonly<
  Record<string, { readonly services: string; readonly ignored?: string; readonly deprecated?: string; readonly notices?: readonly RegExp[] }>
> = {
  django: { services: 'db migrate web', ignored: 'build' },
  elk: { services: 'es01 es02 kibana' },
  gitea: { services: 'db server', deprecated: 'container_name' },
  gitlab: { services: 'gitlab gitlab-runner' },
  immich: { services: 'database immich-machine-learning immich-server redis', deprecated: 'container_name' },
  jellyfin: { services: 'jellyfin', deprecated: 'container_name' },
  mail: { services: 'mailserver', deprecated: 'container_name' },
  mastodon: {
    services: 'db redis sidekiq web',
    ignored: 'build',
    notices: [/^ignoring IP-address \(127\.0\.0\.1:3000:3000\/tcp\) service will listen on '0\.0\.0\.0'$/],
  },
  'monolith-included': { services: 'db gitlab gitlab-runner proxy wordpress' },
  nextcloud: { services: 'app cron db proxy redis', ignored: 'build volumes.bind.selinux' },
  ollama: { services: 'ollama open-webui', ignored: 'build develop post_start' },
  pihole: { services: 'pihole', deprecated: 'container_name' },
  prometheus: { services: 'cadvisor grafana node-exporter prometheus' },
  rocketchat: { services: 'mongodb rocketchat', deprecated: 'expose' },
  sentry: { services: 'cron nginx postgres redis web worker' },
  traefik: { services: 'traefik whoami' },
  'voting-app': { services: 'db redis result vote worker', ignored: 'build', notices: [/^ignoring IP-address \(127\.0\.0\.1:9229:9229\/tcp\)/] },
  'vpn-stack': { services: 'gluetun qbittorrent', ignored: 'network_mode' },
  wordpress: { services: 'db wordpress', deprecated: 'expose' },
  'zookeeper-kafka': { services: 'kafka1 zoo1', ignored: 'links', deprecated: 'container_name' },
};

function load(text?: string, file = '-') {
  const envFiles = file === 'immich.yml' ? { envFiles: ['immich.env'] } : {};
  const stdin = { read: (path: string) => (path === '-' ? new TextEncoder().encode(text) : reader.read(path)) };
  return loadProject({ files: [file], workingDirectory: folder, environment, reader: stdin, ...envFiles });
}

const names = ({ warnings }: ResolvedStack, kind: string) => [...new Set(warnings.filter((one) => one.kind === kind).map(({ name }) => name))].sort().join(' ');

it('are twenty', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yml') && !file.endsWith('.override.yml'));
  assert.deepEqual(files.map((file) => basename(file, '.yml')).sort(), Object.keys(expected).sort());
  assert.equal(files.length, 20);
});

for (const [name, { services, ignored = '', deprecated = '', notices = [] }] of Object.entries(expected)) {
  describe(name, () => {
    const loaded = load(undefined, `${name}.yml`);
    const stack = convertProject(loaded, 'app');

    it('becomes a stack that the swarm takes, and warns by name', () => {
      assert.deepEqual(
        { services: stack.services.map(({ key }) => key).join(' '), ignored: names(stack, 'unsupported'), deprecated: names(stack, 'deprecated') },
        { services, ignored, deprecated },
      );
      const told = stack.warnings.filter(({ kind }) => kind === 'notice').map(({ message }) => message);
      assert.equal(told.length, notices.length, told.join('\n'));
      for (const [index, pattern] of notices.entries()) assert.match(told[index] ?? '', pattern);
      for (const { spec } of stack.services) validateServiceSpec(withIds(spec));
    });

    it('is printed in a form that means the same', () => {
      const printed = printProject(loaded);
      const again = load(printed);
      assert.equal(printProject(again), printed);
      assert.deepEqual(convertProject(again, 'app').services, stack.services);
    });

    it('is exported in a form that changes nothing', () => {
      const services = stack.services.map(({ spec }) => ({ id: spec.name, spec }));
      const networks = stack.networks.map(({ spec }) => ({ id: spec.name, spec }));
      const files = (['secrets', 'configs'] as const).map((kind) =>
        stack[kind].map((file) => ({ id: file.name, spec: { name: file.name, labels: file.labels, data: '' } })),
      );
      const existing = { services, networks, secrets: files[0] ?? [], configs: files[1] ?? [] };
      const text = printProject(exportStack('app', existing));
      assert.doesNotMatch(text, /x-skep-spec/);
      const plan = planStack(convertProject(load(text), 'app'), existing, { salt: SALT });
      assert.deepEqual([plan.problems, plan.services.filter(({ action }) => action !== 'unchanged')], [[], []]);
    });
  });
}

/** As whoever deploys fills them in. */
function withIds(spec: ServiceSpec): ServiceSpec {
  return JSON.parse(JSON.stringify(spec).replaceAll('"secretId":""', '"secretId":"s"').replaceAll('"configId":""', '"configId":"c"')) as ServiceSpec;
}
