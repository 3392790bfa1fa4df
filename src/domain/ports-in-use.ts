// What users are told of published ports that another program on a node has. A task's error has it, and the node's message.

/** `ports`: as `tcp/8080`, at least one. */
export function portsInUseText(ports: readonly string[]): string {
  const list = ports.map((port) => port.split('/').toReversed().join('/')).join(', ');
  return `published port${ports.length === 1 ? '' : 's'} ${list} already in use by another program on this node: not served here`;
}
