/**
 * Wraps a command so that it sees `podsDir` at a short path, in a mount namespace of its own, as an agent sees the
 * kubelet's pods directory at /pods. Needed because a unix socket path has at most 107 bytes. The mount and the
 * command end with the process that starts it; the command keeps the process id that spawn returns.
 *
 * @param node `at` must exist and be a directory; four or five letters are all the room there is.
 */
export function inNodeNamespace(
  node: { readonly podsDir: string; readonly at?: string },
  argv: readonly string[],
): readonly string[] {
  const ownMounts = ['unshare', '--mount', '--propagation', 'private', '--'];
  const bindAndExec = ['sh', '-ec', 'mount --bind "$1" "$2"; shift 2; exec "$@"', 'sh'];
  return [
    'setpriv',
    '--pdeathsig=KILL',
    ...ownMounts,
    ...bindAndExec,
    node.podsDir,
    node.at ?? '/srv',
    ...argv,
  ];
}
