// Container specs: JSON ↔ domain. What moby's daemon/cluster/convert/container.go does, with its texts.
import type { ContainerSpec as WireContainerSpec, FileTarget as WireFileTarget, Privileges as WirePrivileges } from '#docker-api/service-spec.ts';
import type { ConfigReference, ContainerSpec, FileTarget, HealthConfig, Privileges, SecretReference } from '#domain/spec.ts';
import { rpcError } from '#lib/errors.ts';
import { compact, invalid, nonEmpty, oneOf, optionalMap, quoted } from './common.ts';
import { mountFromJson, mountToJson } from './mount.ts';

/** Throws AppError `invalidArgument`. `registryAuth` is not part of the JSON: the caller has it from a header. */
export function containerSpecFromJson(wire: WireContainerSpec, registryAuth: string | undefined): ContainerSpec {
  return compact<ContainerSpec>({
    image: wire.Image ?? '',
    labels: nonEmpty(wire.Labels),
    command: nonEmpty(wire.Command),
    args: nonEmpty(wire.Args),
    hostname: nonEmpty(wire.Hostname),
    env: nonEmpty(wire.Env),
    dir: nonEmpty(wire.Dir),
    user: nonEmpty(wire.User),
    groups: nonEmpty(wire.Groups),
    privileges: wire.Privileges && privilegesFromJson(wire.Privileges),
    init: wire.Init,
    stopSignal: nonEmpty(wire.StopSignal),
    tty: nonEmpty(wire.TTY),
    openStdin: nonEmpty(wire.OpenStdin),
    readOnly: nonEmpty(wire.ReadOnly),
    mounts: nonEmpty(wire.Mounts?.map(mountFromJson)),
    stopGracePeriodNs: wire.StopGracePeriod,
    healthcheck: wire.Healthcheck && healthFromJson(wire.Healthcheck),
    hosts: nonEmpty(wire.Hosts),
    dns:
      wire.DNSConfig &&
      compact({
        nameservers: nonEmpty(wire.DNSConfig.Nameservers),
        search: nonEmpty(wire.DNSConfig.Search),
        options: nonEmpty(wire.DNSConfig.Options),
      }),
    secrets: nonEmpty(wire.Secrets?.map(secretReferenceFromJson)),
    configs: nonEmpty(wire.Configs?.map(configReferenceFromJson)),
    isolation: oneOf(['process', 'hyperv'], wire.Isolation?.toLowerCase()),
    sysctls: nonEmpty(wire.Sysctls),
    capabilityAdd: nonEmpty(wire.CapabilityAdd),
    capabilityDrop: nonEmpty(wire.CapabilityDrop),
    ulimits: nonEmpty(wire.Ulimits?.map(({ Name = '', Hard = 0, Soft = 0 }) => ({ name: Name, hard: Hard, soft: Soft }))),
    oomScoreAdj: nonEmpty(wire.OomScoreAdj),
    registryAuth,
  });
}

/** Never shows the registry credentials. */
export function containerSpecToJson(spec: ContainerSpec): WireContainerSpec {
  return {
    Image: nonEmpty(spec.image),
    Labels: optionalMap(spec.labels),
    Command: nonEmpty(spec.command),
    Args: nonEmpty(spec.args),
    Hostname: nonEmpty(spec.hostname),
    Env: nonEmpty(spec.env),
    Dir: nonEmpty(spec.dir),
    User: nonEmpty(spec.user),
    Groups: nonEmpty(spec.groups),
    Privileges: spec.privileges && privilegesToJson(spec.privileges),
    Init: spec.init,
    StopSignal: nonEmpty(spec.stopSignal),
    TTY: nonEmpty(spec.tty),
    OpenStdin: nonEmpty(spec.openStdin),
    ReadOnly: nonEmpty(spec.readOnly),
    Mounts: nonEmpty(spec.mounts?.map(mountToJson)),
    StopGracePeriod: spec.stopGracePeriodNs,
    Healthcheck: spec.healthcheck && {
      Test: nonEmpty(spec.healthcheck.test),
      Interval: nonEmpty(spec.healthcheck.intervalNs),
      Timeout: nonEmpty(spec.healthcheck.timeoutNs),
      StartPeriod: nonEmpty(spec.healthcheck.startPeriodNs),
      StartInterval: nonEmpty(spec.healthcheck.startIntervalNs),
      Retries: nonEmpty(spec.healthcheck.retries),
    },
    Hosts: nonEmpty(spec.hosts),
    DNSConfig: spec.dns && {
      Nameservers: nonEmpty(spec.dns.nameservers),
      Search: nonEmpty(spec.dns.search),
      Options: nonEmpty(spec.dns.options),
    },
    Secrets: nonEmpty(spec.secrets?.map(({ secretId, secretName, file }) => ({ File: fileToJson(file), SecretID: secretId, SecretName: secretName }))),
    Configs: nonEmpty(
      spec.configs?.map(({ configId, configName, target }) => ({
        File: target.kind === 'file' ? fileToJson(target.file) : undefined,
        Runtime: target.kind === 'runtime' ? {} : undefined,
        ConfigID: configId,
        ConfigName: configName,
      })),
    ),
    Isolation: spec.isolation ?? 'default',
    Sysctls: optionalMap(spec.sysctls),
    CapabilityAdd: nonEmpty(spec.capabilityAdd),
    CapabilityDrop: nonEmpty(spec.capabilityDrop),
    Ulimits: nonEmpty(spec.ulimits?.map(({ name, hard, soft }) => ({ Name: name, Hard: hard, Soft: soft }))),
    OomScoreAdj: nonEmpty(spec.oomScoreAdj),
  };
}

function healthFromJson(wire: NonNullable<WireContainerSpec['Healthcheck']>): HealthConfig {
  return compact<HealthConfig>({
    test: nonEmpty(wire.Test),
    intervalNs: nonEmpty(wire.Interval),
    timeoutNs: nonEmpty(wire.Timeout),
    startPeriodNs: nonEmpty(wire.StartPeriod),
    startIntervalNs: nonEmpty(wire.StartInterval),
    retries: nonEmpty(wire.Retries),
  });
}

function privilegesFromJson(wire: WirePrivileges): Privileges {
  const selinux = wire.SELinuxContext;
  const appArmorMode = wire.AppArmor && (wire.AppArmor.Mode || 'default');
  if (appArmorMode !== undefined && !oneOf(['default', 'disabled'], appArmorMode)) throw invalid(`invalid AppArmor mode: ${quoted(appArmorMode)}`);
  return compact<Privileges>({
    credentialSpec: wire.CredentialSpec && credentialSpecFromJson(wire.CredentialSpec),
    selinux: selinux && {
      disable: selinux.Disable ?? false,
      user: selinux.User ?? '',
      role: selinux.Role ?? '',
      type: selinux.Type ?? '',
      level: selinux.Level ?? '',
    },
    seccomp: wire.Seccomp && seccompFromJson(wire.Seccomp),
    apparmor: appArmorMode === undefined ? undefined : { mode: appArmorMode === 'disabled' ? 'disabled' : 'default' },
    noNewPrivileges: nonEmpty(wire.NoNewPrivileges),
  });
}

function seccompFromJson(wire: NonNullable<WirePrivileges['Seccomp']>): NonNullable<Privileges['seccomp']> {
  const mode = oneOf(['default', 'unconfined', 'custom'], wire.Mode || 'default');
  if (mode === undefined) throw invalid(`invalid Seccomp mode: ${quoted(wire.Mode ?? '')}`);
  return wire.Profile ? { mode, profile: wire.Profile } : { mode };
}

function credentialSpecFromJson(wire: NonNullable<WirePrivileges['CredentialSpec']>): NonNullable<Privileges['credentialSpec']> {
  const { Config: config = '', File: file = '', Registry: registry = '' } = wire;
  const given = [config && '"config"', file && '"file"', registry && '"registry"'].filter((name) => name !== '');
  if (given.length === 0) throw invalid('invalid CredentialSpec: must either provide "file", "registry", or "config" for credential spec');
  if (given.length === 2) throw invalid(`invalid CredentialSpec: cannot specify both ${given[0]} and ${given[1]} credential specs`);
  if (given.length === 3) throw invalid(`invalid CredentialSpec: cannot specify both ${given[0]}, ${given[1]}, and ${given[2]} credential specs`);
  return { config, file, registry };
}

/** The two oldest fields are null when absent: they came before omitempty was thought of. */
function privilegesToJson(privileges: Privileges): WirePrivileges {
  const { credentialSpec, selinux } = privileges;
  const json = {
    CredentialSpec: credentialSpec ? { Config: credentialSpec.config, File: credentialSpec.file, Registry: credentialSpec.registry } : null,
    SELinuxContext: selinux ? { Disable: selinux.disable, User: selinux.user, Role: selinux.role, Type: selinux.type, Level: selinux.level } : null,
    Seccomp: privileges.seccomp && { Mode: privileges.seccomp.mode, Profile: nonEmpty(privileges.seccomp.profile) },
    AppArmor: privileges.apparmor && { Mode: privileges.apparmor.mode },
    NoNewPrivileges: privileges.noNewPrivileges ?? false,
  };
  return json as WirePrivileges;
}

function secretReferenceFromJson(wire: NonNullable<WireContainerSpec['Secrets']>[number]): SecretReference {
  const { SecretID = '', SecretName = '', File } = wire;
  if (File !== undefined) return { secretId: SecretID, secretName: SecretName, file: fileFromJson(File) };
  const problem = SecretID === '' || SecretName === '' ? 'malformed secret reference' : 'malformed secret reference, no target provided';
  throw rpcError('invalidArgument', problem);
}

function configReferenceFromJson(wire: NonNullable<WireContainerSpec['Configs']>[number]): ConfigReference {
  const reference = { configId: wire.ConfigID ?? '', configName: wire.ConfigName ?? '' };
  if (wire.File !== undefined && wire.Runtime !== undefined) throw invalid('invalid Config: cannot specify both File and Runtime');
  if (wire.File !== undefined) return { ...reference, target: { kind: 'file', file: fileFromJson(wire.File) } };
  if (wire.Runtime !== undefined) return { ...reference, target: { kind: 'runtime' } };
  throw invalid('invalid Config: either File or Runtime should be set');
}

function fileFromJson({ Name = '', UID = '', GID = '', Mode = 0 }: WireFileTarget): FileTarget {
  return { name: Name, uid: UID, gid: GID, mode: Mode };
}

function fileToJson({ name, uid, gid, mode }: FileTarget): WireFileTarget {
  return { Name: name, UID: uid, GID: gid, Mode: mode };
}
