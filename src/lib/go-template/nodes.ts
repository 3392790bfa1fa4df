// The tree that a template is parsed into, and its text as Go prints it in error messages.

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string; readonly position: number }
  | { readonly kind: 'action'; readonly pipe: Pipe; readonly position: number }
  | BranchNode
  | { readonly kind: 'template'; readonly name: string; readonly pipe?: Pipe; readonly position: number }
  | { readonly kind: 'break' | 'continue'; readonly position: number };

export interface BranchNode {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly body: readonly TemplateNode[];
  readonly otherwise: readonly TemplateNode[];
  readonly position: number;
}

/** `$a, $b := first | second …` */
export interface Pipe {
  readonly kind: 'pipe';
  readonly declarations: readonly string[];
  /** `=` to an existing variable rather than `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
  readonly position: number;
}

export interface Command {
  readonly operands: readonly Operand[];
  readonly position: number;
}

export type Operand =
  | { readonly kind: 'dot' | 'nil'; readonly position: number }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly position: number }
  | { readonly kind: 'number'; readonly value: number; readonly text: string; readonly position: number }
  | { readonly kind: 'string'; readonly value: string; readonly quoted: string; readonly position: number }
  | { readonly kind: 'field'; readonly names: readonly string[]; readonly position: number }
  | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[]; readonly position: number }
  | { readonly kind: 'chain'; readonly operand: Operand; readonly names: readonly string[]; readonly position: number }
  | { readonly kind: 'function'; readonly name: string; readonly position: number }
  | Pipe;

export function operandText(operand: Operand): string {
  switch (operand.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'boolean':
      return String(operand.value);
    case 'number':
      return operand.text;
    case 'string':
      return operand.quoted;
    case 'field':
      return fieldsText(operand.names);
    case 'variable':
      return operand.name + fieldsText(operand.names);
    case 'chain':
      return (operand.operand.kind === 'pipe' ? `(${operandText(operand.operand)})` : operandText(operand.operand)) + fieldsText(operand.names);
    case 'function':
      return operand.name;
    case 'pipe':
      return pipeText(operand);
  }
}

export function commandText(command: Command): string {
  return command.operands.map((operand) => (operand.kind === 'pipe' ? `(${pipeText(operand)})` : operandText(operand))).join(' ');
}

export function pipeText(pipe: Pipe): string {
  const declarations = pipe.declarations.length === 0 ? '' : `${pipe.declarations.join(', ')} ${pipe.assigns ? '=' : ':='} `;
  return declarations + pipe.commands.map(commandText).join(' | ');
}

function fieldsText(names: readonly string[]): string {
  return names.map((name) => `.${name}`).join('');
}
