// Go's text/template, as far as Docker's users meet it: actions, pipelines, fields, variables, if/with/range/define, comparison and formatting
// functions, trimming and comments. Missing map keys are errors, as SwarmKit wants it. Templates are users' text: nothing but the data that is
// passed in can be reached, and output, steps and nesting are bounded.
import { execute } from './go-template/execute.ts';
import { builtinFunctions, type TemplateFunction } from './go-template/functions.ts';
import { parse, type ParsedTemplate } from './go-template/parser.ts';
import type { TemplateValue } from './go-template/values.ts';

export { formatFunctions, swarmFunctions, type TemplateFunction, textOf } from './go-template/functions.ts';
export { nilPointer, printed, struct, templateMap, type TemplateStruct, type TemplateValue } from './go-template/values.ts';

export interface Template {
  readonly parsed: ParsedTemplate;
  readonly functions: ReadonlyMap<string, TemplateFunction>;
}

/** Parses once. `name` is what error messages call the template. Throws AppError `invalidArgument` with Go's text. */
export function parseTemplate(name: string, source: string, extraFunctions: ReadonlyMap<string, TemplateFunction> = new Map()): Template {
  const functions = new Map([...builtinFunctions, ...extraFunctions]);
  return { parsed: parse(name, source, functions), functions };
}

/** The template's text for `data`. Throws AppError `invalidArgument` with Go's text; what a function threw is its cause. */
export function executeTemplate(template: Template, data: TemplateValue): string {
  return execute(template.parsed, template.functions, data);
}
