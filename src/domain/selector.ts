import type { LabelSelector } from '../crds/vmbackupschedule.ts';

type Labels = Readonly<Record<string, string>>;
type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** What a schedule says of the VMs it takes. */
export interface VmChoice {
  readonly vmNames?: readonly string[] | undefined;
  readonly vmSelector?: LabelSelector | undefined;
}

/** The VMs that a schedule takes, by name; and the names it lists that no VM bears. */
export interface ChosenVms {
  readonly found: readonly string[];
  readonly missing: readonly string[];
}

/** Picks the VMs of one namespace, sorted by name. */
export function chooseVms(
  choice: VmChoice,
  vms: readonly { readonly metadata: { readonly name: string; readonly labels?: Labels | undefined } }[],
): ChosenVms {
  if (choice.vmNames !== undefined) {
    const there = new Set(vms.map((vm) => vm.metadata.name));
    const named = [...new Set(choice.vmNames)].sort();
    return {
      found: named.filter((name) => there.has(name)),
      missing: named.filter((name) => !there.has(name)),
    };
  }
  const selector = choice.vmSelector;
  if (selector === undefined) return { found: [], missing: [] };
  const matching = vms.filter((vm) => matchesSelector(selector, vm.metadata.labels ?? {}));
  return { found: matching.map((vm) => vm.metadata.name).sort(), missing: [] };
}

/** Whether labels satisfy a selector, by the rules of Kubernetes: all its conditions hold. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  const exact = Object.entries(selector.matchLabels ?? {});
  return (
    exact.every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((expression) => holds(expression, labels))
  );
}

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      // An object without the label matches too: apimachinery, labels/selector.go.
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
