import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { escapeTemplate, substitute, TemplateError } from './template.ts';

const variables: Readonly<Record<string, string>> = { SET: 'value', EMPTY: '', OTHER: 'other' };

function expand(template: string): string {
  return substitute(template, { lookup: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined), onUnset: () => {} });
}

describe('a template', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['$SET', 'value'],
    ['${SET}', 'value'],
    ['a$SET.b', 'avalue.b'],
    ['$UNSET', ''],
    ['${UNSET}', ''],
    ['${SET:-d}', 'value'],
    ['${EMPTY:-d}', 'd'],
    ['${UNSET:-d}', 'd'],
    ['${SET-d}', 'value'],
    ['${EMPTY-d}', ''],
    ['${UNSET-d}', 'd'],
    ['${SET:?e}', 'value'],
    ['${SET?e}', 'value'],
    ['${EMPTY?e}', ''],
    ['${SET:+a}', 'a'],
    ['${EMPTY:+a}', ''],
    ['${UNSET:+a}', ''],
    ['${SET+a}', 'a'],
    ['${EMPTY+a}', 'a'],
    ['${UNSET+a}', ''],
    ['$$SET', '$SET'],
    ['$${SET}', '${SET}'],
    ['$$$SET', '$value'],
    ['${UNSET:-${SET}}', 'value'],
    ['${UNSET:-${EMPTY:-${OTHER}}}', 'other'],
    ['${UNSET:-a${SET}b}', 'avalueb'],
    ['${SET:+${OTHER}-x}', 'other-x'],
    ['${UNSET-${SET+in}}', 'in'],
    ['${UNSET:-$$}', '$'],
    ['${UNSET:-a:b?c+d}', 'a:b?c+d'],
    ['${UNSET:-a}b}', 'ab}'],
    ['${UNSET:-}', ''],
    ['$SET-x', 'value-x'],
    ['no dollar', 'no dollar'],
    ['${SET}${OTHER}', 'valueother'],
    ['echo $(date) $5', 'echo $(date) $5'],
    ['^$SET$|a$', '^value$|a$'],
    ['$ SET', '$ SET'],
    ['${UNSET:-$(id)}', '$(id)'],
  ];
  for (const [template, expected] of forms) it(`${template} is "${expected}"`, () => assert.equal(expand(template), expected));

  for (const template of ['${', '${SET', '${1SET}', '${SET.x}', '${ SET}', '${}', '${SET:x}', '${SET/a/b}', '${UNSET:-${SET}']) {
    it(`${template} is refused`, () => assert.throws(() => expand(template), TemplateError));
  }

  for (const template of ['${UNSET:?say it}', '${EMPTY:?say it}', '${UNSET?say it}', '${UNSET?say ${NOT-it}}']) {
    it(`${template} fails with its message`, () =>
      assert.throws(() => expand(template), { message: `required variable ${template.slice(2, 7)} is missing a value: say it` }));
  }

  it('tells of variables that are not set and have no default, and only of those that are looked at', () => {
    const unset: string[] = [];
    substitute('$A ${B} ${C:-d} ${D+e} ${SET:-$E} ${F:+$G} ${H-$I}', { lookup: (name) => variables[name], onUnset: (name) => unset.push(name) });
    assert.deepEqual(unset, ['A', 'B', 'I']);
  });

  it('a required variable that is only looked at in vain does not fail', () => assert.equal(expand('${SET:-${UNSET:?no}}'), 'value'));

  it('gives any text back when it was escaped', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(expand(escapeTemplate(text)), text)));
  });
});
