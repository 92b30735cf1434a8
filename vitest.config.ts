import { defineConfig } from 'vitest/config';

/**
 * Three projects, one run: `unit` needs nothing but Node; `qemu` drives real QEMU and libvirt; `apiserver` and
 * `e2e` need the control plane that `make setup` builds. Real parts share the machine, so those files run one by one.
 */
const serial = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{qemu,apiserver,e2e}/**', 'node_modules/**'],
          // Generous: a loaded machine is no fault of the code.
          testTimeout: 30_000,
        },
      },
      { test: { name: 'qemu', include: ['test/qemu/**/*.test.ts'], ...serial } },
      { test: { name: 'apiserver', include: ['test/apiserver/**/*.test.ts'], ...serial } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...serial, testTimeout: 300_000 } },
    ],
  },
});
