// Where Skep answers otherwise than dockerd 20.10 on purpose, and why.

/** The reason, or undefined when there is none. */
export function explained(name: string, theirs: string, ours: string): string | undefined {
  if (/18446744073709551615/.test(name)) return 'numbers beyond 2^53 are not exact';
  if (ours === `invalid JSON: ${theirs}`) return 'newer engines say that it is the JSON';
  if (withoutNews(ours) === withoutNews(theirs)) return 'newer engines show the field, and names and ids are made up';
  if (name.startsWith('RollbackConfig.') && ours.includes('TaskSpec: update-')) return 'a rollback is checked like an update, before it is needed';
  if (name.includes('.Consistency = ')) return 'what was asked for is shown';
  if (name.includes('DiscreteResourceSpec.')) return 'what is empty is shown as that';
  if (theirs.includes('EOF while reading') || ours === 'unexpected content after JSON') return 'newer engines read bodies so';
  if (name === 'a cluster volume') return 'newer engines have them; a node says that it has none';
  return undefined;
}

function withoutNews(text: string): string {
  return text
    .replaceAll(/"NoNewPrivileges":false,|,?"NoNewPrivileges":false/g, '')
    .replace(/"Name":"[a-z]+_[a-z]+"/, '"Name":""')
    .replaceAll(/[0-9a-z]{25}/g, '<id>')
    .replace(/\(\d+ matches found\)/, '');
}
