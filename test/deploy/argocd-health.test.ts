import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

/** The health check for Argo CD, run by a Lua of the version that Argo CD has. */

const file = join(import.meta.dirname, '../../deploy/gitops/argocd-health.yaml');
const ConfigMap = z.object({ data: z.object({ 'resource.customizations': z.string() }) });
const Customizations = z.object({ 'backup.tidemark.dev/*': z.object({ 'health.lua': z.string() }) });
const { data } = ConfigMap.parse(parse(await readFile(file, 'utf8')));
const check = Customizations.parse(parse(data['resource.customizations']))['backup.tidemark.dev/*'][
  'health.lua'
];

/** Plain data, as Lua writes it. */
function lua(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(lua).join(', ')}}`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, member]) => `[${JSON.stringify(key)}] = ${lua(member)}`)
      .join(', ')}}`;
  return JSON.stringify(value);
}

function healthOf(object: object): string {
  const program = `local obj = ${lua(object)}
    local health = (function() ${check} end)()
    io.write(health.status .. ': ' .. health.message)`;
  return execFileSync('lua5.1', ['-'], { input: program, encoding: 'utf8' });
}

const condition = (type: string, status: string, reason = 'Why', message = 'so it is') => ({
  ...{ type, status, reason, message },
});
const object = (conditions: readonly object[], more: object = {}) => ({
  kind: 'VMBackupRepository',
  metadata: { generation: 2 },
  spec: {},
  status: { observedGeneration: 2, conditions },
  ...more,
});

describe('to Argo CD', () => {
  test.each([
    [
      'what was never looked at progresses',
      { metadata: { generation: 1 }, spec: {} },
      'Progressing: Waiting for Tidemark',
    ],
    ['what is ready is healthy', object([condition('Ready', 'True')]), 'Healthy: so it is'],
    [
      'what is not ready is degraded, and says why',
      object([condition('Ready', 'False')]),
      'Degraded: Why: so it is',
    ],
    ['what nobody knows yet progresses', object([condition('Ready', 'Unknown')]), 'Progressing: so it is'],
    [
      'what waits for a person is degraded, whatever else stands there',
      object([condition('Ready', 'Unknown'), condition('Stalled', 'True', 'TargetFull', 'make room')]),
      'Degraded: TargetFull: make room',
    ],
    [
      'a status of an earlier spec progresses',
      object([condition('Ready', 'True')], { metadata: { generation: 3 } }),
      'Progressing: Waiting for Tidemark',
    ],
    [
      'a schedule that is suspended is suspended',
      object([condition('Ready', 'True')], { kind: 'VMBackupSchedule', spec: { suspend: true } }),
      'Suspended: so it is',
    ],
  ])('%s', (_, given, expected) => {
    expect(healthOf(given)).toBe(expected);
  });
});
