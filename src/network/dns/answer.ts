// What a zone says to a question: a pure decision. Undefined means that the question is not the zone's to answer.
import { formatIp, parseIp } from '#lib/ip.ts';
import { type Query, RecordClass, type Record, RecordType, type Reply, ResponseCode } from './message.ts';
import type { Zone } from './zone.ts';

/** `shuffle` orders the addresses: clients mostly take the first. */
export function answerFrom(zone: Zone, query: Query, shuffle: (addresses: readonly string[]) => readonly string[]): Reply | undefined {
  if (query.class !== RecordClass.internet && query.class !== RecordClass.any) return undefined;
  const address = reverseAddress(query.name);
  if (address !== undefined) {
    const name = zone.reverse(address);
    if (name === undefined) return undefined;
    return found(query.type === RecordType.ptr || query.type === RecordType.any ? [{ type: 'PTR', data: name }] : []);
  }
  if (query.name === '') return undefined;
  const addresses = zone.lookup(query.name);
  return addresses && found(recordsOf(shuffle(addresses), query.type));
}

/** Answers that need no zone: what this server does not do. */
export function refusalOf({ type, edns, class: queryClass }: Query): number | undefined {
  if (edns && edns.version !== 0) return ResponseCode.badVersion;
  if (type === RecordType.axfr || type === RecordType.ixfr) return ResponseCode.notImplemented;
  if (queryClass !== RecordClass.internet && queryClass !== RecordClass.any) return ResponseCode.refused;
  return undefined;
}

/**
 * Whether a name may be the swarm's, told by its form alone: "web", "tasks.web", a task's "web.1.<id>". For a client whose zone is not known yet
 * those must not be asked elsewhere: "no such name" from outside would be believed.
 */
export function couldBeOurs(name: string): boolean {
  if (name === '') return false;
  return !name.includes('.') || name.startsWith('tasks.') || /\.[0-9a-z]{25}$/.test(name) || reverseAddress(name) !== undefined;
}

function found(records: readonly Record[]): Reply {
  return { rcode: ResponseCode.noError, records, authoritative: true };
}

/** An address of the other family than asked for is no record, but the name exists: an empty answer, not "no such name". */
function recordsOf(addresses: readonly string[], type: number): readonly Record[] {
  const wanted = (family: 4 | 6) => type === RecordType.any || type === (family === 4 ? RecordType.a : RecordType.aaaa);
  return addresses.flatMap((data) => {
    const family = parseIp(data)?.family;
    return family && wanted(family) ? [{ type: family === 4 ? ('A' as const) : ('AAAA' as const), data }] : [];
  });
}

/** The address in "4.3.2.1.in-addr.arpa" or "….ip6.arpa", in its usual form. */
function reverseAddress(name: string): string | undefined {
  const ipv4 = /^((?:[0-9]{1,3}\.){3}[0-9]{1,3})\.in-addr\.arpa$/.exec(name)?.[1];
  const ipv6 = /^((?:[0-9a-f]\.){31}[0-9a-f])\.ip6\.arpa$/.exec(name)?.[1];
  const text = ipv4?.split('.').toReversed().join('.') ?? ipv6?.split('.').toReversed().join('').match(/.{4}/g)?.join(':');
  const address = text === undefined ? undefined : parseIp(text);
  return address && formatIp(address);
}
