import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import type { Kube } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/kind.ts';
import { listIfAllowed } from '../read.ts';
import type { CommonFlags, Session } from '../session.ts';
import { candidatesFor } from './words.ts';

/** Cobra's word for: these and no files. kubectl reads it of its plugins. */
const NO_FILES = ':4';

type List = (kube: Kube, namespace: string, signal: AbortSignal) => Promise<readonly KubeObject[]>;

const vms: List = (kube, namespace, signal) => listIfAllowed(kube, virtualMachines, { namespace }, signal);

/** What an argument takes the name of. */
const lists: ReadonlyMap<string, List> = new Map([
  ['backup', (kube, namespace, signal) => listIfAllowed(kube, vmBackups, { namespace }, signal)],
  ['repository', (kube, _, signal) => listIfAllowed(kube, vmBackupRepositories, {}, signal)],
  ['vm', vms],
  ['vms', vms],
]);

/**
 * What the shells ask while someone types: the candidates, a line each, in the form that kubectl takes from its plugins
 * (https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/, shell completion). A cluster that does not answer gives
 * no names, and no word about it: someone is typing.
 */
export async function complete(
  root: CommandUnknownOpts,
  words: readonly string[],
  session: Session,
): Promise<void> {
  session.flags = flagsIn(words);
  const { words: known, argument } = candidatesFor(root, words);
  const names = await namesOf(argument, session).catch(() => []);
  const current = words.at(-1) ?? '';
  session.print([...known, ...names.filter((name) => name.startsWith(current)), NO_FILES]);
}

async function namesOf(argument: string | undefined, session: Session): Promise<readonly string[]> {
  const list = argument === undefined ? undefined : lists.get(argument);
  if (list === undefined) return [];
  const { kube, namespace } = await session.cluster();
  return (await list(kube, namespace, session.terminal.signal)).map(({ metadata }) => metadata.name);
}

/** The flags that say which cluster, of words that may stop anywhere. */
function flagsIn(words: readonly string[]): CommonFlags {
  const valueOf = (...names: readonly string[]): string | undefined => {
    const index = words.findIndex((word) => names.includes(word));
    return index < 0 ? undefined : words[index + 1] || undefined;
  };
  return {
    namespace: valueOf('-n', '--namespace'),
    kubeconfig: valueOf('--kubeconfig'),
    context: valueOf('--context'),
  };
}
