// `completion`: scripts that ask `skep __complete` for words, so that what is offered is always what this program has.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';

const bash = (name: string) => `# bash completion of ${name}: put it into a file that your shell reads, or: source <(${name} completion bash)
_${name}_complete() {
  local IFS=$'\\n' current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=($(${name} __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "$current" 2>/dev/null | cut -f1))
  if [ \${#COMPREPLY[@]} -eq 1 ] && [ "\${COMPREPLY[0]}" = ":file" ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o nosort -F _${name}_complete ${name}
`;

const zsh = (name: string) => `#compdef ${name}
# zsh completion of ${name}: put it into a folder of your fpath as _${name}, or: source <(${name} completion zsh)
_${name}() {
  local -a lines described
  lines=("\${(@f)$(${name} __complete -- "\${(@)words[2,CURRENT-1]}" "\${words[CURRENT]}" 2>/dev/null)}")
  if [[ "\${lines[1]}" == ":file"* ]]; then _files; return; fi
  local line
  for line in $lines; do described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); done
  _describe '${name}' described
}
if (( ! \${+functions[compdef]} )); then autoload -Uz compinit && compinit; fi
# Read from a folder of fpath, this file is itself the function that is called.
if [[ "\${funcstack[1]}" == "_${name}" ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;

const fish = (name: string) => `# fish completion of ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (${name} __complete -- $words[2..-1] 2>/dev/null)
  if string match -q ':file*' -- "$lines[1]"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $lines
  end
end
complete -c ${name} -f -a '(__${name}_complete)'
`;

const scripts: Readonly<Record<string, (name: string) => string>> = { bash, zsh, fish };

export const command: CommandSpec = {
  usage: 'bash|zsh|fish',
  arguments: { minimum: 1, maximum: 1 },
  flags: [],
  run({ args, context }) {
    const [shell = ''] = args;
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined) return Promise.reject(new AppError('invalidArgument', `unknown shell ${JSON.stringify(shell)}: use bash, zsh or fish`));
    context.stdout.write(script(context.programName));
    return Promise.resolve(undefined);
  },
};
