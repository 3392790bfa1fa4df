// Names of a development cluster and where its things are. Pure: everything of a cluster can be found from its name and the folder that clusters live in,
// which is what lets `down` find it after any crash.
import { join } from 'node:path';
import { AppError } from '#lib/errors.ts';

export const DEFAULT_FOLDER = '/var/lib/skep-dev';
export const DEFAULT_NAME = 'dev';

/** The link in the machine's own network is called `skep-<name>`, and the kernel takes 15 bytes. */
const MAX_NAME = 10;
/** The kernel's limit on the path of a unix socket, without the final zero. */
const MAX_SOCKET_PATH = 107;

export interface Place {
  readonly name: string;
  /** Everything of the cluster that is a file. */
  readonly folder: string;
  readonly descriptionFile: string;
  /** Our end of the cable to the cluster's switch. */
  readonly hostLink: string;
}

export interface NodePlace {
  readonly name: string;
  readonly folder: string;
  /** skepd's API. */
  readonly socket: string;
  readonly engineSocket: string;
  readonly engineData: string;
  readonly stateDirectory: string;
  readonly skepdLog: string;
  readonly skepdConfig: string;
  readonly engineLog: string;
  /** The node's own /etc/docker. */
  readonly engineConfig: string;
  /** The node's own /etc/resolv.conf. */
  readonly resolvers: string;
  readonly cgroup: string;
}

/** The machine in the middle. No node can have this name: theirs end in a digit. */
export const SWITCH = 'switch';

/** Throws AppError `invalidArgument`. */
export function placeOf(base: string, name: string): Place {
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name) || name.length > MAX_NAME)
    throw new AppError(
      'invalidArgument',
      `invalid cluster name ${JSON.stringify(name)}: up to ${MAX_NAME} of a-z, 0-9 and -, beginning and ending with a letter or digit`,
    );
  const folder = join(base, name);
  const longest = join(folder, 'manager100', 'docker.sock');
  if (Buffer.byteLength(longest) > MAX_SOCKET_PATH)
    throw new AppError('invalidArgument', `the folder ${base} has too long a path for sockets in it; set SKEP_DEV_DIR to a shorter one`);
  return { name, folder, descriptionFile: join(folder, 'cluster.json'), hostLink: `skep-${name}` };
}

export function nodePlaceOf(place: Place, name: string): NodePlace {
  const folder = join(place.folder, name);
  return {
    name,
    folder,
    socket: join(folder, 'skep.sock'),
    engineSocket: join(folder, 'docker.sock'),
    engineData: join(folder, 'engine'),
    stateDirectory: join(folder, 'skep'),
    skepdLog: join(folder, 'skepd.log'),
    skepdConfig: join(folder, 'skepd.yaml'),
    engineLog: join(folder, 'engine.log'),
    engineConfig: join(folder, 'etc-docker'),
    resolvers: join(folder, 'resolv.conf'),
    cgroup: `${cgroupPrefix(place)}${name}`,
  };
}

/** Names of clusters have no dot, so that one's prefix is never another's. */
export function cgroupPrefix({ name }: Place): string {
  return `skep-dev.${name}.`;
}
