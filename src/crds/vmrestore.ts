import { z } from 'zod';
import { API_VERSION, cel, kindOf, ObjectMeta, ObjectName } from './api.ts';
import { Conditions } from './conditions.ts';

export const VMRestoreSpec = z
  .object({
    source: z
      .object({
        backupName: ObjectName.optional().describe('A VMBackup in the same namespace.'),
        repositoryPath: z
          .object({
            repository: ObjectName.describe('Name of the VMBackupRepository.'),
            path: z
              .string()
              .min(1)
              .max(1024)
              .meta(
                cel({
                  rule: "!self.startsWith('/') && self != '..' && !self.startsWith('../') && !self.contains('/../') && !self.endsWith('/..')",
                  message: "path is relative to the repository's root and stays below it",
                }),
              )
              .describe('Directory of the backup, relative to the root of the repository.'),
          })
          .optional()
          .describe('A backup that no object tells of any more.'),
      })
      .meta(
        cel({
          rule: 'has(self.backupName) != has(self.repositoryPath)',
          message: 'say what to restore: set either source.backupName or source.repositoryPath',
        }),
      )
      .describe('What to restore.'),
    vmName: z.string().min(1).max(63).describe('Name of the VirtualMachine that the restore makes.'),
  })
  .meta(cel({ rule: 'self == oldSelf', message: 'a VMRestore cannot be changed: create another one' }));
export type VMRestoreSpec = z.infer<typeof VMRestoreSpec>;

export const VMRestoreStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
});
export type VMRestoreStatus = z.infer<typeof VMRestoreStatus>;

/** One restore of one backup. */
export const VMRestore = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMRestore').optional(),
  metadata: ObjectMeta,
  spec: VMRestoreSpec.describe('What to restore, and to where. Immutable.'),
  status: VMRestoreStatus.optional().describe('What came of it.'),
});
export type VMRestore = z.infer<typeof VMRestore>;

export const vmRestores = kindOf(
  { apiVersion: API_VERSION, kind: 'VMRestore', plural: 'vmrestores', namespaced: true },
  VMRestore,
);
