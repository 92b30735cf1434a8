import { Command } from '@commander-js/extra-typings';
import { vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { forPrograms, outputOption } from '../output.ts';
import { findBackup, getIfVisible } from '../read.ts';
import type { Session } from '../session.ts';
import { explain } from '../why/explain.ts';

/** Every decision about one backup, in words. */
export const why = (session: Session) =>
  new Command('why')
    .summary('every decision about one backup, in words, and how to restore it')
    .description(
      'Tells of one VMBackup: why it is full or incremental, disk by disk; whether it fell back to a full; whether the guest was ' +
        'frozen; what its conditions say; where its data is; and the commands that restore its volumes.',
    )
    .argument('<backup>', 'a VMBackup, as `kubectl get tmb` lists them')
    .addOption(outputOption())
    .action(async (name, { output }) => {
      const cluster = await session.cluster();
      const { signal, now } = session.terminal;
      const backup = await findBackup(cluster, name, signal);
      const repository = await getIfVisible(
        cluster.kube,
        vmBackupRepositories,
        { name: backup.spec.repository },
        signal,
      );
      const sections = explain(backup, repository, now());
      const paint = session.painter();
      session.print(
        forPrograms(output, { sections }) ?? [
          sections
            .map(({ title, lines }) =>
              [paint({ text: title, tone: 'bold' }), ...lines.map((text) => `  ${paint({ text })}`)].join(
                '\n',
              ),
            )
            .join('\n\n'),
        ],
      );
    });
