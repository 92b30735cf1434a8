import { GROUP, VERSION } from '../../src/crds/api.ts';
import { crd } from './crd.ts';
import { type Field, fieldsOf, rulesOf } from './fields.ts';
import type { KindPage } from './kinds.ts';
import type { Structural } from './structural.ts';

/**
 * The API reference as Markdown: for each kind an example, its fields, its rules.
 *
 * @param samples file name → YAML, for every name in `samples` of the pages.
 * @throws {NotStructural} when a schema holds something that a CRD cannot.
 */
export function reference(pages: readonly KindPage[], samples: ReadonlyMap<string, string>): string {
  return [
    "<!-- Generated from src/crds and deploy/samples by 'npm run generate'. Do not edit. -->",
    '# API reference',
    `Group \`${GROUP}\`, version \`${VERSION}\`. \`kubectl get tidemark -A\` lists everything; \`kubectl explain tmb.spec\` tells of a field.`,
    summary(pages),
    "Use the short names: `vmbackup` and `vmrestore` are also short names of KubeVirt's own VirtualMachineBackup and VirtualMachineRestore.",
    ...pages.flatMap((page) => section(page, samples)),
    ...conditions(pages),
  ]
    .filter((block) => block !== '')
    .join('\n\n')
    .concat('\n');
}

function summary(pages: readonly KindPage[]): string {
  return table(
    ['Kind', 'Short name', 'Scope', 'What it is'],
    pages.map(({ names, shortName, description }) => [
      `[${names.kind}](#${names.kind.toLowerCase()})`,
      `\`${shortName}\``,
      names.namespaced ? 'namespaced' : 'cluster',
      description,
    ]),
  );
}

function section(page: KindPage, samples: ReadonlyMap<string, string>): readonly string[] {
  const { spec, status } = parts(page);
  const rules = rulesOf(spec, 'spec').map(({ path, message }) => `- \`${path}\`: ${message}`);
  return [
    `## ${page.names.kind}`,
    page.description,
    ...page.samples.map(
      (name) => `\`\`\`yaml\n# deploy/samples/${name}\n${samples.get(name)?.trim()}\n\`\`\``,
    ),
    selectors(page),
    `### ${page.names.kind} spec`,
    spec.description ?? '',
    fieldTable(fieldsOf(spec, 'spec')),
    'What the API server refuses is answered with these words:',
    rules.join('\n'),
    `### ${page.names.kind} status`,
    status.description ?? '',
    fieldTable(fieldsOf(status, 'status').filter(({ path }) => !isOfConditions(path))),
  ];
}

/** The fields of a condition are the same in every kind: they are told of once. */
function conditions(pages: readonly KindPage[]): readonly string[] {
  const shared = pages.slice(0, 1).flatMap((page) => fieldsOf(parts(page).status, 'status'));
  return [
    '## Conditions',
    'Every kind has `status.conditions`, by the rules of [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus). Scripts wait with `kubectl wait --for=condition=Ready`.',
    table(
      ['Type', 'When it is there', 'What True means'],
      [
        ['`Ready`', 'always', 'it is done, or it works'],
        ['`Reconciling`', 'only while True', 'Tidemark is at work on it, or tries again'],
        [
          '`Stalled`',
          'only while True',
          'it goes on only when a person has changed something; the message says what',
        ],
      ],
    ),
    fieldTable(shared.filter(({ path }) => isOfConditions(path))),
  ];
}

function isOfConditions(path: string): boolean {
  return path.startsWith('status.conditions[]');
}

function parts(page: KindPage): { readonly spec: Structural; readonly status: Structural } {
  const { spec, status } = crd(page).spec.versions[0].schema.openAPIV3Schema.properties ?? {};
  if (!spec || !status) throw new Error(`${page.names.kind} needs both spec and status in its schema`);
  return { spec, status };
}

function selectors({ names, selectableFields }: KindPage): string {
  if (selectableFields.length === 0) return '';
  const fields = selectableFields.map((path) => `\`${path.slice(1)}\``).join(' and ');
  return `Field selectors: ${fields}, as in \`kubectl get ${names.plural} --field-selector ${selectableFields[0]?.slice(1)}=…\`.`;
}

function fieldTable(fields: readonly Field[]): string {
  return table(
    ['Field', 'Type', 'Default', 'Bounds', 'Description'],
    fields.map((field) => [
      `\`${field.path}\``,
      field.type,
      field.default === undefined ? (field.required ? '**required**' : '') : `\`${field.default}\``,
      field.bounds,
      field.description,
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(row)].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
