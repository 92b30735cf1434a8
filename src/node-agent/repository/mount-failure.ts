import type { Place } from './place.ts';

/** Why a repository could not be mounted, in a stable word, and what to do about it, in a sentence. */
export interface MountFailure {
  readonly reason: string;
  readonly message: string;
}

/** What came of the attempt: the standard error of `unshare`, `mount` and their helpers, or silence until it was stopped. */
export type MountOutcome = string | { readonly silentMs: number };

interface Kind {
  /** Looked for in what was said with LC_ALL=C; the first kind that matches wins. */
  readonly pattern: RegExp;
  readonly reason: string;
  readonly advice: string;
}

/** The words of mount.nfs (nfs-utils 2.6, utils/mount/error.c), of mount and unshare (util-linux), and of the C library. */
const KINDS: readonly Kind[] = [
  {
    pattern: /^Unable to apply new capability set/m,
    reason: 'MountNotPermitted',
    advice:
      'mount.cifs asks for more than CAP_SYS_ADMIN: set nodeAgent.cifs, or let the kubelet mount (repositoryMount: kubelet).',
  },
  {
    pattern: /^unshare: |^mount.*(must be superuser|only root can|not installed setuid)/m,
    reason: 'MountNotPermitted',
    advice:
      'The agent may not mount: give its container CAP_SYS_ADMIN and allowPrivilegeEscalation, or let the kubelet mount (repositoryMount: kubelet).',
  },
  {
    pattern: /^mount.*(mount\.<type> helper|unknown filesystem type|No such device)/m,
    reason: 'MountUnsupported',
    advice:
      "This node cannot mount such a repository: the agent's image needs HELPER, the node's kernel the module.",
  },
  {
    pattern: /^mount.*(Failed to resolve|could not resolve address|Resource temporarily unavailable)/m,
    reason: 'MountServerUnknown',
    advice: 'The name of the server cannot be resolved: check spec.KIND.server, and the DNS of this node.',
  },
  {
    pattern: /^mount.*Connection refused/m,
    reason: 'MountRefused',
    advice:
      'The host is there, but no server answers on it: start it, or check spec.KIND.server and the port. NFS 3 needs rpcbind, too.',
  },
  {
    pattern: /^mount.*timed out/m,
    reason: 'MountTimedOut',
    advice:
      'Nothing answers: check that the server is up, and that no firewall drops its port (NFS: TCP 2049, SMB: 445, Ceph: 3300 and 6789).',
  },
  {
    pattern: /^mount.*(No route to host|Network is unreachable|Host is down)/m,
    reason: 'MountUnreachable',
    advice:
      'The server cannot be reached from this node: check spec.KIND.server, and the routes of this node.',
  },
  {
    pattern: /^mount.*No such file or directory/m,
    reason: 'MountExportMissing',
    advice:
      'The server has no such export: check spec.KIND.path. With NFS 4 it is relative to the root of the exports.',
  },
  {
    pattern: /^mount.*(access denied|permission denied|operation not permitted)/im,
    reason: 'MountDenied',
    advice:
      'The server refuses this node: check the clients of the export and the security flavour (sec=), or the Secret with the credentials.',
  },
  {
    pattern: /^mount.*not supported/m,
    reason: 'MountVersionUnsupported',
    advice: 'The server does not speak this version of NFS: check spec.KIND.version.',
  },
];

/** For each type of file system: its name in a repository's spec, and what mounts it. */
const NAMES: Readonly<Record<string, { readonly kind: string; readonly helper: string }>> = {
  nfs: { kind: 'nfs', helper: 'mount.nfs (nfs-common)' },
  cifs: { kind: 'cifs', helper: 'mount.cifs (cifs-utils)' },
  ceph: { kind: 'cephfs', helper: 'mount.ceph (ceph-common)' },
};

function adviceFor(fsType: string, { advice }: Kind): string {
  const { kind = fsType, helper = `mount.${fsType}` } = NAMES[fsType] ?? {};
  return advice.replaceAll('KIND', kind).replaceAll('HELPER', helper);
}

/** Names what went wrong. What is not known is `MountFailed`, with all that was said. */
export function mountFailure(
  { source, fsType }: Extract<Place, { kind: 'ToMount' }>,
  outcome: MountOutcome,
): MountFailure {
  if (typeof outcome === 'object') {
    const message =
      `${source} was not mounted within ${outcome.silentMs / 1000} s. The server is down or does not answer: ` +
      'check it, and the network between it and this node.';
    return { reason: 'MountTimedOut', message };
  }
  const kind = KINDS.find(({ pattern }) => pattern.test(outcome));
  const said = outcome || 'mount said nothing';
  const reason = kind?.reason ?? 'MountFailed';
  return {
    reason,
    message: `${source} cannot be mounted. ${kind ? `${adviceFor(fsType, kind)} ` : ''}(${said})`,
  };
}
