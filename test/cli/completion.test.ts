// Completion as the shells run it: each reads the script that `skep completion` prints, and offers what it says. No daemon answers here, so commands,
// options, values and files are completed, and objects are not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const bin = join(import.meta.dirname, '../../bin');

/** Sets up the words of a line as the shell does, asks for completions, and prints one offer per line. */
const asks: Readonly<Record<string, (words: readonly string[]) => string>> = {
  bash: (words) => `source <(skep completion bash)
    COMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}; _skep_complete; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // The functions of zsh's completion system that are called, and what they are called with.
  zsh: (words) => `compdef() { : }
    _files() { print -l -- \${words[CURRENT]}*(N) }
    _describe() { local offer; for offer in "\${(@P)2}"; do print -- "\${offer%%:*}"; done }
    source <(skep completion zsh)
    words=(${quoted(words)}); CURRENT=${words.length}; _skep`,
  fish: (words) => `source (skep completion fish | psub); complete -C '${words.join(' ')}' | string replace -r '\\t.*' ''; true`,
};

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');

for (const [shell, ask] of Object.entries(asks)) {
  const isThere = spawnSync(shell, ['--version']).status === 0;
  describe(`completion in ${shell}`, { skip: !isThere && `${shell} is not installed` }, () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'skep-completion-'));
      writeFileSync(join(folder, 'compose.yaml'), '');
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    function offers(...words: readonly string[]): readonly string[] {
      const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, HOME: folder, DOCKER_HOST: 'unix:///nowhere.sock' };
      const { stdout, stderr, status } = spawnSync(shell, [...(shell === 'zsh' ? ['-f'] : []), '-c', ask(words)], { cwd: folder, env, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      return stdout.split('\n').filter((line) => line !== '');
    }

    it('offers commands, and verbs of a group', () => {
      assert.deepEqual(offers('skep', 'servi'), ['service']);
      assert.deepEqual(offers('skep', 'service', 're'), ['restart']);
    });

    it('offers options, and the words that an option takes', () => {
      assert.deepEqual(offers('skep', 'stack', 'deploy', '--resolve'), ['--resolve-image']);
      assert.deepEqual(offers('skep', 'stack', 'deploy', '--resolve-image', 'al'), ['always']);
    });

    it('offers files where an option takes one', () => {
      assert.deepEqual(offers('skep', 'stack', 'deploy', '-c', 'comp'), ['compose.yaml']);
    });

    it('says nothing of objects when no daemon answers', () => {
      assert.deepEqual(offers('skep', 'service', 'inspect', 'x'), []);
    });
  });
}
