import { join } from 'node:path';
import { type RunOptions, run } from './run.ts';

export interface KubectlOptions extends Pick<RunOptions, 'stdin' | 'signal'> {
  /** As whom; the cluster's administrator unless told otherwise. */
  readonly kubeconfig?: string;
}

/** Runs kubectl with these arguments and returns what it printed; rejects as `run` does. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

/** @param home a directory for kubectl's cache and settings, so that the user's own are neither read nor written. */
export function kubectlIn(binaries: string, home: string, adminKubeconfig: string): Kubectl {
  return async (args, { kubeconfig = adminKubeconfig, ...options } = {}) =>
    await run(join(binaries, 'kubectl'), args, { ...options, env: { HOME: home, KUBECONFIG: kubeconfig } });
}
