// `security_opt` → the privileges that a spec has words for, and what is left for the engine.
import { Buffer } from 'node:buffer';
import type { Privileges } from '#domain/spec.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Selinux = Mutable<NonNullable<Privileges['selinux']>>;

/** Options come as "name:value" or "name=value". Loading has put a seccomp profile's text in the place of its file. */
export function privilegesOfSecurityOptions(options: readonly string[] = []): { readonly privileges: Privileges; readonly rest: readonly string[] } {
  const privileges: Mutable<Privileges> = {};
  const selinux: Selinux = { disable: false, user: '', role: '', type: '', level: '' };
  const rest: string[] = [];
  for (const option of options) {
    const [, name = '', value = ''] = /^([^:=]+)(?:[:=](.*))?$/s.exec(option) ?? [];
    if (name === 'no-new-privileges' && value !== 'false') privileges.noNewPrivileges = true;
    else if (name === 'seccomp' && value === 'unconfined') privileges.seccomp = { mode: 'unconfined' };
    else if (name === 'seccomp' && value.startsWith('{')) privileges.seccomp = { mode: 'custom', profile: Buffer.from(value).toString('base64') };
    else if (name === 'apparmor' && value === 'unconfined') privileges.apparmor = { mode: 'disabled' };
    else if (name === 'label' && readLabel(selinux, value)) privileges.selinux = { ...selinux };
    else if (name !== 'no-new-privileges') rest.push(option);
  }
  return { privileges, rest };
}

function readLabel(selinux: Selinux, text: string): boolean {
  const [, name = '', value = ''] = /^([^:]+)(?::(.*))?$/.exec(text) ?? [];
  if (name === 'disable') selinux.disable = true;
  else if (name === 'user' || name === 'role' || name === 'type' || name === 'level') selinux[name] = value;
  else return false;
  return true;
}
