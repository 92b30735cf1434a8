import { defineConfig } from 'vitest/config';

/**
 * Four projects, one run: `unit` needs nothing but Node; `qemu` drives real QEMU and libvirt; `apiserver` and `e2e` need the
 * control plane that `make setup` builds. Real parts mostly wait, so two of those files run at a time. `soak` is long, and runs
 * only when it is asked for (`make soak`).
 */
const inPairs = { maxWorkers: 2, testTimeout: 120_000, hookTimeout: 120_000 };
/** What all files of a run share. */
const globalSetup = ['test/support/tidemark/bundles.ts'];
const soak = { fileParallelism: false, testTimeout: 24 * 3_600_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{qemu,apiserver,e2e,soak}/**', 'node_modules/**'],
          // Generous: a loaded machine is no fault of the code.
          testTimeout: 30_000,
        },
      },
      { test: { name: 'qemu', include: ['test/qemu/**/*.test.ts'], ...inPairs } },
      { test: { name: 'apiserver', include: ['test/apiserver/**/*.test.ts'], ...inPairs } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          ...inPairs,
          globalSetup,
          testTimeout: 300_000,
        },
      },
      ...(process.env['SOAK'] === undefined
        ? []
        : [{ test: { name: 'soak', include: ['test/soak/**/*.test.ts'], ...soak } }]),
    ],
  },
});
