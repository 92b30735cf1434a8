import { stringify } from 'yaml';
import { GROUP, VERSION } from '../../src/crds/api.ts';
import type { Column, KindPage } from './kinds.ts';
import { type Structural, structural } from './structural.ts';

/** A CustomResourceDefinition (apiextensions.k8s.io/v1), as far as Tidemark fills it. */
export interface Crd {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: 'Namespaced' | 'Cluster';
    readonly names: Readonly<Record<string, string | readonly string[]>>;
    readonly versions: readonly [CrdVersion];
  };
}

export interface CrdVersion {
  readonly name: string;
  readonly served: true;
  readonly storage: true;
  readonly subresources: { readonly status: Record<string, never> };
  readonly additionalPrinterColumns: readonly Readonly<Record<string, string | number>>[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly schema: { readonly openAPIV3Schema: Structural };
}

/**
 * The CustomResourceDefinition of a kind.
 *
 * @throws {NotStructural} when its schema holds something that a CRD cannot.
 */
export function crd(page: KindPage): Crd {
  const { kind, plural, namespaced } = page.names;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [page.shortName],
        categories: ['tidemark'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: page.columns.map(printerColumn),
          ...(page.selectableFields.length > 0 && {
            selectableFields: page.selectableFields.map((jsonPath) => ({ jsonPath })),
          }),
          schema: { openAPIV3Schema: { description: page.description, ...structural(page.schema) } },
        },
      ],
    },
  };
}

function printerColumn({ name, type, jsonPath, wide }: Column): Record<string, string | number> {
  return { name, type, jsonPath, ...(wide && { priority: 1 }) };
}

/** The CRD as a file, with a header that sends the reader to its source. */
export function crdYaml(page: KindPage): string {
  const source = `src/crds/${page.names.kind.toLowerCase()}.ts`;
  const header = `# Generated from ${source} by 'npm run generate'. Do not edit.\n`;
  return header + stringify(crd(page), { lineWidth: 0, aliasDuplicateObjects: false });
}
