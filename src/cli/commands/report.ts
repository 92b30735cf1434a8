import { writeFile } from 'node:fs/promises';
import { Command } from '@commander-js/extra-typings';
import packageJson from '../../../package.json' with { type: 'json' };
import { UsageError } from '../exit-code.ts';
import { collect } from '../report/collect.ts';
import { reportText } from '../report/text.ts';
import type { Session } from '../session.ts';

/** A file for whoever is to help. */
export const report = (session: Session) =>
  new Command('report')
    .summary('one file that tells a helper how Tidemark does, without secrets')
    .description(
      "Writes Tidemark's objects, what it reads of VMs, its pods, its agents' leases and its events to one YAML file. Secrets are never " +
        'read; cloud-init, environment variables and fields with names such as password or token are left out. Look at it before you send it.',
    )
    .option('-A, --all-namespaces', 'VMs and backups of all namespaces', false)
    .option('--system-namespace <namespace>', 'where Tidemark runs', 'tidemark-system')
    .option('-f, --file <file>', "where to write it; '-' is standard output", '-')
    .action(async ({ allNamespaces, systemNamespace, file }) => {
      if (allNamespaces && session.flags.namespace !== undefined)
        throw new UsageError('set either --namespace or --all-namespaces, not both');
      const { kube, namespace } = await session.cluster();
      const scope = { namespace: allNamespaces ? undefined : namespace, systemNamespace };
      const parts = await collect(kube, scope, session.terminal.signal);
      const text = reportText(parts, {
        at: new Date(session.terminal.now()).toISOString(),
        'kubectl-tidemark': packageJson.version,
      });
      if (file === '-') return session.print([text.trimEnd()]);
      // Never over another file: it may be the one from before the trouble.
      await writeFile(file, text, { flag: 'wx' });
      session.print([`${file}: ${parts.reduce((sum, { objects }) => sum + objects.length, 0)} objects`]);
    });
