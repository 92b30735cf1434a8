import { join } from 'node:path';
import { run } from '../control-plane/run.ts';

const ROOT = join(import.meta.dirname, '../../..');
export const CHART = join(ROOT, 'charts/tidemark');

/** Everything that can be switched on, but what excludes the default. */
export const EVERYTHING = [
  'networkPolicy.enabled',
  'metrics.serviceMonitor.enabled',
  'metrics.prometheusRule.enabled',
  'metrics.dashboard.enabled',
  'admission.denyKubeVirtBackups',
  'nodeAgent.cifs',
].flatMap((name) => ['--set', `${name}=true`]);

/** The directory of helm, kubeconform and the Prometheus operator's CRDs. */
export async function chartTools(): Promise<string> {
  return (await run(join(ROOT, 'hack/setup/chart-tools.sh'), ['where'])).trim();
}

/** Runs helm; resolves to what it says. */
export async function helm(args: readonly string[], kubeconfig?: string): Promise<string> {
  const tools = await chartTools();
  return await run(join(tools, 'helm'), [...args, ...(kubeconfig ? ['--kubeconfig', kubeconfig] : [])]);
}

/** What the chart renders with these flags. */
export async function render(...flags: readonly string[]): Promise<string> {
  return await helm(['template', 'tidemark', CHART, '--namespace', 'tidemark-system', ...flags]);
}
