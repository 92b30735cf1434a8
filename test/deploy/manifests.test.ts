import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { Options as ControllerOptions } from '../../src/controller/options.ts';
import { parseFlags } from '../../src/kube/flags.ts';
import { Options as AgentOptions } from '../../src/node-agent/options.ts';
import { IMAGE_TABLE, MOUNT_DIRECTORY } from '../../src/node-agent/repository/mount-command.ts';

const deploy = join(import.meta.dirname, '../../deploy');

const Unknowns = z.record(z.string(), z.unknown());
const Container = z.object({
  command: z.array(z.string()),
  securityContext: Unknowns,
  ports: z.tuple([z.object({ containerPort: z.int() })]),
});
const PodSpec = z.object({
  hostPID: z.boolean().optional(),
  hostNetwork: z.boolean().optional(),
  securityContext: Unknowns,
  containers: z.tuple([Container]),
  volumes: z.array(z.object({ hostPath: z.object({ path: z.string() }).optional() })).default([]),
});
const Workload = z.object({ spec: z.object({ template: z.object({ spec: PodSpec }) }) });

async function manifest(file: string): Promise<unknown> {
  return parse(await readFile(join(deploy, file), 'utf8'));
}

async function pod(file: string): Promise<z.infer<typeof PodSpec>> {
  return Workload.parse(await manifest(file)).spec.template.spec;
}

const controller = await pod('controller/deployment.yaml');
const agent = await pod('node-agent/daemonset.yaml');

describe.each([
  ['controller', controller],
  ['node-agent', agent],
] as const)('the %s', (name, { containers: [container], ...spec }) => {
  test('runs the program that the build makes', () => {
    expect(container.command.slice(0, 2)).toEqual(['node', `dist/${name}.js`]);
  });

  test('is confined as far as its work allows', () => {
    expect(spec.hostPID).toBeUndefined();
    expect(spec.hostNetwork).toBeUndefined();
    expect(spec.securityContext).toMatchObject({ seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.securityContext).not.toHaveProperty('privileged');
  });

  test('is asked for its health where it answers', () => {
    expect(container.command).toContain(`--health-port=${container.ports[0].containerPort}`);
  });
});

test('the controller is nobody, and adds no capability', () => {
  expect(controller.securityContext).toMatchObject({ runAsNonRoot: true });
  expect(controller.containers[0].securityContext).toMatchObject({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
  });
  expect(controller.containers[0].securityContext['capabilities']).not.toHaveProperty('add');
  expect(controller.volumes).toEqual([]);
});

test("the node agent is QEMU's user, and has the one capability that mounting takes", () => {
  expect(agent.containers[0].securityContext).toMatchObject({
    ...{ runAsNonRoot: true, runAsUser: 107, runAsGroup: 0 },
    capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] },
  });
});

test("the image's table of mounts is the one that the node agent counts on", async () => {
  const containerfile = await readFile(join(deploy, '../Containerfile'), 'utf8');
  expect(containerfile).toContain(`echo '${IMAGE_TABLE}' >${MOUNT_DIRECTORY}/fstab`);
});

test("the node agent sees the kubelet's pods, and nothing else of the host", () => {
  expect(agent.volumes.flatMap(({ hostPath }) => hostPath?.path ?? [])).toEqual(['/var/lib/kubelet/pods']);
});

test('the controller understands its flags', () => {
  expect(parseFlags(ControllerOptions, controller.containers[0].command.slice(2)).namespace).toBe(
    'tidemark-system',
  );
});

test('the node agent understands its flags', () => {
  expect(parseFlags(AgentOptions, agent.containers[0].command.slice(2))['pods-dir']).toBe('/pods');
});

test('the kustomization takes in every manifest', async () => {
  const { resources } = z
    .object({ resources: z.array(z.string()) })
    .parse(await manifest('kustomization.yaml'));
  const files = (await readdir(deploy, { recursive: true })).filter(
    (file) => file.endsWith('.yaml') && !/^(samples|gitops)\//.test(file) && file !== 'kustomization.yaml',
  );
  expect(resources.toSorted()).toEqual(files.toSorted());
});
