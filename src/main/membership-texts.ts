// What the Docker daemon says about a node's place in a swarm (daemon/cluster/errors.go, cluster.go).

export const NOT_IN_SWARM = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
export const PREPARING = 'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.';
export const LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';
export const ALREADY_IN_SWARM = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
export const RESTORE_OR_LEAVE = 'restore the swarm from a backup (skep restore --force FILE), or leave it (docker swarm leave --force)';
export const RESTORE_IN_SWARM =
  'This node is already part of a swarm. Use --force to replace what it has of that swarm by the backup, or "docker swarm leave" to leave it.';
export const LEAVE_LOCKED = 'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.';
export const NO_LEADER =
  "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.";
const LEAVE_MANAGER = 'You are attempting to leave the swarm on a node that is participating as a manager. ';

/** What a manager says that is asked to leave without force, by how many managers there are. */
export function leaveManagerText(reachable: number, unreachable: number): string {
  if (reachable <= 1 && unreachable === 0)
    return `${LEAVE_MANAGER}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `;
  const total = reachable + unreachable;
  const risk =
    reachable - 2 <= unreachable
      ? `Removing this node leaves ${reachable - 1} managers out of ${total}. Without a Raft quorum your swarm will be inaccessible. `
      : 'Doing so may lose the consensus of your cluster. ';
  const wayBack =
    'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';
  return LEAVE_MANAGER + risk + wayBack;
}
export const JOIN_TIMEOUT =
  'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.';
/** Docker's text, and what it was that took so long. */
export function joinTimeoutText(reason: string): string {
  return reason === '' ? JOIN_TIMEOUT : `${JOIN_TIMEOUT} The last attempt: ${reason}`;
}

/** As Docker indents it, for terminals. */
export const TWO_MANAGERS = [
  'WARNING: Running Swarm in a two-manager configuration. This configuration provides',
  'no fault tolerance, and poses a high risk to lose control over the cluster.',
  'Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the',
  'Swarm for fault-tolerance.',
].join('\n         ');
/** What a manager hears that is out of etcd and asks for a worker's certificate, when it has been promoted again since. */
export const WANTED_AS_MANAGER = 'the managers took this node out of etcd, and want it to be a manager';
/** What a manager finds that the others removed while it was away. */
export const REMOVED = 'the other managers removed this one while it was away';
/** What a manager finds that was left behind when the swarm was restored, or forced to begin anew. */
export const SUPERSEDED = 'the swarm was restored, or forced to begin anew, on another manager: this node is not a manager of it any more';
export const REPLACED_HERE = `${SUPERSEDED}, and another machine has taken this node's place in it; use "docker swarm leave --force" here, and join again`;
