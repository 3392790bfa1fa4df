// What older API versions do not know is taken out of their requests before it is read, so that an old client cannot set it by accident.
// moby's adjustForAPIVersion.
import type { ContainerSpec, ServiceSpec } from '#docker-api/service-spec.ts';

/** The spec as a client of API 1.`apiVersion` can have meant it. */
export function adjustServiceSpec(spec: ServiceSpec, apiVersion: number): ServiceSpec {
  if (apiVersion >= 46) return spec;
  const { TaskTemplate: task = {} } = spec;
  return {
    ...spec,
    TaskTemplate: {
      ...task,
      ContainerSpec: task.ContainerSpec && adjustContainerSpec(task.ContainerSpec, apiVersion),
      Resources: apiVersion < 41 && task.Resources?.Limits ? { ...task.Resources, Limits: { ...task.Resources.Limits, Pids: undefined } } : task.Resources,
      Placement: apiVersion < 40 && task.Placement ? { ...task.Placement, MaxReplicas: undefined } : task.Placement,
    },
    Mode: apiVersion < 41 && spec.Mode ? { ...spec.Mode, ReplicatedJob: undefined, GlobalJob: undefined } : spec.Mode,
  };
}

function adjustContainerSpec(container: ContainerSpec, apiVersion: number): ContainerSpec {
  return {
    ...container,
    OomScoreAdj: undefined,
    Mounts: container.Mounts?.map((mount) => (mount.TmpfsOptions?.Options ? { ...mount, TmpfsOptions: { ...mount.TmpfsOptions, Options: undefined } } : mount)),
    ...(apiVersion < 44 ? before44(container) : {}),
    ...(apiVersion < 41 ? { CapabilityAdd: undefined, CapabilityDrop: undefined, Ulimits: undefined } : {}),
    ...(apiVersion < 40 ? before40(container) : {}),
  };
}

function before44({ Privileges: privileges, Healthcheck: health }: ContainerSpec): Partial<ContainerSpec> {
  return {
    Privileges: privileges && { CredentialSpec: privileges.CredentialSpec, SELinuxContext: privileges.SELinuxContext },
    Healthcheck: health && { ...health, StartInterval: undefined },
  };
}

function before40({ Privileges: privileges, Configs: configs }: ContainerSpec): Partial<ContainerSpec> {
  const credentials = privileges?.CredentialSpec;
  return {
    Sysctls: undefined,
    Privileges: privileges && {
      CredentialSpec: credentials && { ...credentials, Config: undefined },
      SELinuxContext: privileges.SELinuxContext,
    },
    Configs: configs?.map((config) => ({ ...config, Runtime: undefined })),
  };
}
