import { z } from 'zod';
import { vmBackups } from '../../crds/vmbackup.ts';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { KubeError, NotFound } from '../../kube/errors.ts';
import type { Command } from '../command.ts';
import { ExitCode } from '../exit-code.ts';
import { getIfVisible } from '../read.ts';
import { painterFor } from '../screen/style.ts';
import type { Cluster } from '../cluster.ts';
import { explain } from '../why/explain.ts';

const OneBackup = 'name one VMBackup, as in: kubectl tidemark why web-full';
const Options = z.object({ arguments: z.tuple([z.string().min(1, OneBackup)], OneBackup) });

/** Every decision about one backup, in words. */
export const why: Command<z.infer<typeof Options>> = {
  name: 'why',
  summary: 'every decision about one backup, in words, and how to restore it',
  usage: `kubectl tidemark why BACKUP [-n NS]

Tells of one VMBackup: why it is full or incremental, disk by disk; whether it fell back to a full; whether the guest
was frozen; what its conditions say; where its data is; and the commands that restore its volumes.
`,
  flags: {},
  options: Options,
  async run({ arguments: [name] }, cluster, terminal) {
    const backup = await findBackup(cluster, name, terminal.signal);
    const named = { name: backup.spec.repository };
    const repository = await getIfVisible(cluster.kube, vmBackupRepositories, named, terminal.signal);
    const paint = painterFor(terminal);
    const parts = explain(backup, repository, terminal.now()).map(({ title, lines }) =>
      [paint({ text: title, tone: 'bold' }), ...lines.map((text) => `  ${paint({ text })}`)].join('\n'),
    );
    terminal.stdout.write(`${parts.join('\n\n')}\n`);
    return ExitCode.ok;
  },
};

async function findBackup({ kube, namespace }: Cluster, name: string, signal: AbortSignal) {
  try {
    return await kube.get(vmBackups, { namespace, name }, signal);
  } catch (cause) {
    if (!(cause instanceof NotFound)) throw cause;
    const message = `There is no VMBackup '${name}' in namespace '${namespace}': 'kubectl get tmb -A' lists them all, -n chooses the namespace.`;
    throw new KubeError('NotFound', message, { status: 404, cause });
  }
}
