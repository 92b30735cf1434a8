import { z } from 'zod';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { StoredVm } from '../../domain/restore/inspection.ts';
import type { Kind, KubeObject } from '../../kube/kind.ts';

const WholeVm = StoredVm.extend({
  metadata: z.looseObject({
    ...StoredVm.shape.metadata.shape,
    namespace: z.string().optional(),
    resourceVersion: z.string().optional(),
  }),
});

/** The whole VM, unparsed but for what is looked at. */
export const wholeVms: Kind<KubeObject & StoredVm> = {
  ...virtualMachines,
  parse: (raw) => WholeVm.parse(raw),
};
