import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { chartReadme } from './chart-readme.ts';
import { programRoles } from './rbac.ts';

/** Where the chart is, from the root of the repository. */
export const CHART = 'charts/tidemark';

/** The rules in deploy/rbac, those of our programs generated, by the name that the chart's templates ask for. */
const RULES: Readonly<Record<string, readonly [file: string, kind: string, name: string]>> = {
  'controller-cluster': ['controller', 'ClusterRole', 'tidemark-controller'],
  controller: ['controller', 'Role', 'tidemark-controller'],
  'node-agent-cluster': ['node-agent', 'ClusterRole', 'tidemark-node-agent'],
  'node-agent': ['node-agent', 'Role', 'tidemark-node-agent'],
  view: ['users', 'ClusterRole', 'tidemark-view'],
  edit: ['users', 'ClusterRole', 'tidemark-edit'],
  repositories: ['users', 'ClusterRole', 'tidemark-repositories'],
};

const Head = z.object({ kind: z.string(), metadata: z.object({ name: z.string() }) });

/**
 * The files of the chart that come from elsewhere: rules, CRDs, README. And the roles in deploy that the rules are of.
 *
 * @param crds CRD YAML by plural
 */
export async function chartFiles(
  root: string,
  crds: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const generated = programRoles();
  for (const [path, text] of generated) files.set(path, text);
  for (const [name, [file, kind, role]] of Object.entries(RULES)) {
    const path = `deploy/rbac/${file}.yaml`;
    const text = generated.get(path) ?? (await readFile(join(root, path), 'utf8'));
    files.set(`${CHART}/files/rules/${name}.yaml`, rulesOf(text, kind, role));
  }
  for (const [plural, yaml] of crds) files.set(`${CHART}/templates/crds/${plural}.yaml`, crdTemplate(yaml));
  const values = await readFile(join(root, CHART, 'values.yaml'), 'utf8');
  files.set(`${CHART}/README.md`, chartReadme(values));
  return files;
}

/** The rules of one role as text, with their comments. */
export function rulesOf(manifests: string, kind: string, name: string): string {
  const role = manifests.split(/^---\n/m).find((text) => {
    const head = Head.safeParse(parse(text));
    return head.success && head.data.kind === kind && head.data.metadata.name === name;
  });
  const rules = role?.split(/^rules:\n/m)[1];
  if (rules === undefined) throw new Error(`deploy/rbac has no ${kind} ${name} with rules`);
  return rules.replace(/^ {2}/gm, '');
}

/** A CRD as a template: a chart's `crds` directory is installed once, and never upgraded. */
function crdTemplate(yaml: string): string {
  if (yaml.includes('{{')) throw new Error('a CRD must not look like a template');
  const annotated = yaml.replace(
    /^metadata:\n {2}name: .*\n/m,
    (metadata) =>
      `${metadata}  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n`,
  );
  return `{{- if .Values.crds.install }}\n${annotated}{{- end }}\n`;
}
