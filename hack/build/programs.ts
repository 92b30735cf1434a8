import type { Programs } from './bundle.ts';

/** The programs of the image, and the threads that they start from files of their own. */
export const programs: Programs = {
  controller: 'src/controller/main.ts',
  'node-agent': 'src/node-agent/main.ts',
  mover: 'src/mover/main.ts',
  'offline-backup': 'src/node-agent/offline/main.ts',
  'mover-pack-worker': 'src/mover/pack-worker.ts',
  'mover-restore-worker': 'src/mover/restore-worker.ts',
  'kubectl-tidemark': 'src/cli/main.ts',
};
