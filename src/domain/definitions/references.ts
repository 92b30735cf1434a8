import { z } from 'zod';

const Taken = z.object({
  name: z.string(),
  kind: z.string().optional(),
  revisionName: z.string().optional(),
});
const TakenStatus = z.object({ controllerRevisionRef: z.object({ name: z.string() }).optional() });

/** Of a VM, what leads to other objects; every field may be missing. */
const Referring = z.object({
  spec: z.object({
    instancetype: Taken.optional(),
    preference: Taken.optional(),
    dataVolumeTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })).optional(),
    template: z
      .object({
        spec: z
          .object({
            volumes: z.array(z.object({ dataVolume: z.object({ name: z.string() }).optional() })).optional(),
          })
          .optional(),
      })
      .optional(),
  }),
  status: z
    .object({ instancetypeRef: TakenStatus.optional(), preferenceRef: TakenStatus.optional() })
    .optional(),
});

/** What the VM's definition names and a restore may need. Names are in order, each once. */
export interface References {
  readonly dataVolumes: readonly string[];
  readonly instancetype: { readonly kind: string; readonly name: string } | undefined;
  readonly preference: { readonly kind: string; readonly name: string } | undefined;
  readonly controllerRevisions: readonly string[];
  /** Only their names are ever stored: what is in them is not ours to copy. */
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

/** The revisions that a VM stands on: in its spec, or, since KubeVirt 1.4, in its status alone. */
export function revisionsOf(vm: unknown): RevisionNames {
  const read = Referring.safeParse(vm);
  return read.success ? revisionNames(read.data.spec, read.data.status) : {};
}

/** Names of ControllerRevisions. */
export interface RevisionNames {
  readonly instancetype?: string | undefined;
  readonly preference?: string | undefined;
}

function revisionNames(
  { instancetype, preference }: Partial<z.infer<typeof Referring>['spec']>,
  status: z.infer<typeof Referring>['status'],
): RevisionNames {
  return {
    instancetype: instancetype?.revisionName ?? status?.instancetypeRef?.controllerRevisionRef?.name,
    preference: preference?.revisionName ?? status?.preferenceRef?.controllerRevisionRef?.name,
  };
}

/** Finds what a VM refers to. A VM of a shape that is not understood refers to nothing. */
export function referencesOf(vm: unknown): References {
  const read = Referring.safeParse(vm);
  const { spec, status } = read.success ? read.data : { spec: {}, status: undefined };
  const names = namesIn(vm);
  return {
    dataVolumes: sorted([
      ...(spec.dataVolumeTemplates ?? []).map(({ metadata }) => metadata.name),
      ...(spec.template?.spec?.volumes ?? []).map(({ dataVolume }) => dataVolume?.name),
    ]),
    instancetype: taken(spec.instancetype, 'VirtualMachineClusterInstancetype'),
    preference: taken(spec.preference, 'VirtualMachineClusterPreference'),
    controllerRevisions: sorted(Object.values(revisionNames(spec, status))),
    secrets: sorted(names.secrets),
    configMaps: sorted(names.configMaps),
  };
}

/** KubeVirt takes a cluster-wide one where the VM does not say which kind it means. */
function taken(from: z.infer<typeof Taken> | undefined, usual: string) {
  return from && { kind: from.kind ?? usual, name: from.name };
}

/**
 * KubeVirt and CDI name Secrets and ConfigMaps in a dozen places (cloud-init, access credentials, sysprep, volumes, import sources), and
 * in more with each version, but always by such keys: `secretRef: {name}`, `secretRef: name`, `secret: {secretName}`, `configMap: {name}`.
 */
function namesIn(value: unknown): { readonly secrets: string[]; readonly configMaps: string[] } {
  const found = { secrets: [] as string[], configMaps: [] as string[] };
  const walk = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const [key, below] of Object.entries(at)) {
      const into = /secret(ref|name)?$/i.test(key)
        ? found.secrets
        : /configmap(ref|name)?$/i.test(key)
          ? found.configMaps
          : undefined;
      const name = into && nameOf(below);
      if (name !== undefined) into?.push(name);
      walk(below);
    }
  };
  walk(typeof value === 'object' && value !== null && 'spec' in value ? value.spec : undefined);
  return found;
}

const Named = z.union([
  z.string(),
  z.object({ name: z.string() }).transform(({ name }) => name),
  z.object({ secretName: z.string() }).transform(({ secretName }) => secretName),
]);

function nameOf(value: unknown): string | undefined {
  const read = Named.safeParse(value);
  return read.success && read.data !== '' ? read.data : undefined;
}

function sorted(names: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}
