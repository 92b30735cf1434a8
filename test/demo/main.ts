import { setTimeout as sleep } from 'node:timers/promises';
import { MiB, run, standInVm } from '../support/launcher/index.ts';
import { installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly, verifyChain } from '../support/tidemark/restore.ts';
import { chapter, dim, green, quote, red, say, table, yellow } from './screen.ts';

/**
 * The story of `make demo`: a real QEMU VM under a real libvirt, driven by real Kubernetes objects on a real API server, is
 * backed up while it writes, restarted, killed, and restored to what it held. Ends with 1 if one byte differs.
 */

/** Type and position of each backup of the story. */
const EXPECTED: readonly string[] = [
  'Full 0',
  'Incremental 1',
  'Incremental 2',
  'Incremental 3',
  'Incremental 4',
  'Full 0',
];

const differences: string[] = [];
const points: Point[] = [];

chapter('A cluster, and Tidemark in it');
await using tidemark = await installTidemark({ say });

chapter('A virtual machine that never stops writing');
await using vm = await standInVm({
  namespace: NAMESPACE,
  name: 'db',
  podsDir: tidemark.podsDir,
  disks: [
    { volume: 'root', kind: 'cbt', size: 256 * MiB },
    { volume: 'data', kind: 'qcow2', size: 128 * MiB },
  ],
});
await tidemark.kubevirt.define(vm);
await tidemark.kubevirt.start(vm, NODE);
await vm.write('root', { pattern: 0x54, offset: 0, length: 48 * MiB });
await vm.write('data', { pattern: 0x4d, offset: 0, length: 24 * MiB });
vm.keepWriting({ volume: 'root', seed: 1 });
vm.keepWriting({ volume: 'data', seed: 2 });
say(
  `shop/db runs: root is a 256 MiB raw disk under KubeVirt's change-tracking overlay, data a 128 MiB qcow2`,
);

chapter('A schedule protects it: one full, then incrementals');
const schedule = {
  apiVersion: 'backup.tidemark.dev/v1alpha1',
  kind: 'VMBackupSchedule',
  metadata: { name: 'every-minute', namespace: NAMESPACE },
  spec: {
    schedule: '* * * * *',
    immediate: true,
    vmSelector: { matchLabels: { app: 'db' } },
    template: { repository: 'nas', fullEvery: 10 },
  },
};
await point('made at once, because the schedule says immediate', async () => {
  await tidemark.apply(schedule);
  return nextScheduled();
});
await untilJustBefore(60);
await point('made when the clock struck the minute', nextScheduled);
await tidemark.apply({ ...schedule, spec: { ...schedule.spec, suspend: true } });
await point('made by hand: kubectl apply of a VMBackup', () => backUpNow(tidemark, vm, 'by-hand-1'));
await point('and another one', () => backUpNow(tidemark, vm, 'by-hand-2'));

chapter('The VM is restarted: libvirt forgets its checkpoints, Tidemark defines the one it needs anew');
await tidemark.kubevirt.restart(vm, NODE);
say('a new launcher pod, a new libvirt, no checkpoints; the bitmaps are in the images');
await point('the chain goes on', () => backUpNow(tidemark, vm, 'after-restart'));

chapter('QEMU is killed with SIGKILL: its bitmaps are lost');
await tidemark.kubevirt.crash(vm, NODE);
say('the VM runs again; an incremental now would miss what nobody tracked');
const afterKill = await point('a full instead, and a new chain', () => backUpNow(tidemark, vm, 'after-kill'));
await tellFallback(afterKill);

chapter('Back to what the disks held then');
const latest = points.at(-1)!;
const older = points[3]!;
for (const chosen of [latest, older]) await restore(chosen);
for (const chosen of [latest, points.at(-2)!]) await verifyChain(tidemark, chosen);
say('tidemark-mover verify: every byte of both chains matches its checksum');

chapter('What users see');
await show('get', 'tmb', '--sort-by=.metadata.creationTimestamp');
await show('get', 'tmbs');
await show('get', 'tmrepo');
await show('tidemark', 'status');
await show('tidemark', 'tree', 'db');
summary();
process.exitCode = differences.length === 0 ? 0 : 1;

/** Takes a backup, tells of it, and checks it against what the story expects. */
async function point(what: string, trigger: () => Promise<string>): Promise<Point> {
  const taken = await takePoint(tidemark, vm, trigger);
  const { metadata, status } = taken.backup;
  points.push(taken);
  if (status?.phase !== 'Succeeded') {
    differences.push(
      `${metadata.name} ended as ${status?.phase}: ${status?.execution?.error?.message ?? status?.conditions?.[0]?.message}`,
    );
  }
  const expected = EXPECTED[points.length - 1];
  const actual = `${status?.type} ${status?.chain?.position}`;
  if (actual !== expected) differences.push(`${metadata.name} is '${actual}', expected '${expected}'`);
  const type = status?.type === 'Full' ? yellow('Full') : green('Incremental');
  say(`${metadata.name}: ${type}, position ${status?.chain?.position}, ${status?.size}; ${dim(what)}`);
  return taken;
}

/** The name of the next backup that the schedule makes. */
async function nextScheduled(): Promise<string> {
  const known = new Set(points.map(({ backup }) => backup.metadata.name));
  const names = async () => {
    const listed = await tidemark.cluster.kubectl([
      ...['-n', NAMESPACE, 'get', 'tmb', '-l', 'backup.tidemark.dev/schedule=every-minute'],
      ...['-o', 'jsonpath={.items[*].metadata.name}'],
    ]);
    return listed.split(' ').find((name) => name !== '' && !known.has(name));
  };
  return eventually('a backup from the schedule', names, 90);
}

/** The guest should keep still only for the moment of the backup, not for a whole minute. */
async function untilJustBefore(seconds: number): Promise<void> {
  const period = seconds * 1000;
  const rest = period - (Date.now() % period) - 2500;
  if (rest <= 0) return;
  say(dim(`the schedule's next minute is ${Math.round(rest / 1000)} s away; the guest writes on`));
  await sleep(rest);
}

/** The reason of the fallback stands in status, event and log. */
async function tellFallback({ backup }: Point): Promise<void> {
  const { name } = backup.metadata;
  const fallback = backup.status?.execution?.incrementalFallback;
  const events = await tidemark.cluster.kubectl([
    ...['-n', NAMESPACE, 'get', 'events.events.k8s.io', '--field-selector', `regarding.name=${name}`],
    ...['-o', 'jsonpath={range .items[*]}{.type} {.reason}: {.note}{"\\n"}{end}'],
  ]);
  const event = events.split('\n').find((line) => fallback !== undefined && line.includes(fallback.reason));
  const log = (await tidemark.agent.log())
    .split('\n')
    .find((line) => line.includes(name) && fallback !== undefined && line.includes(fallback.reason));
  for (const [where, found] of [
    ['status', fallback?.message],
    ['event', event],
    ['log', log],
  ] as const) {
    if (found === undefined) differences.push(`the reason of the fallback is not in the ${where}`);
    else quote(`${where.padEnd(6)} ${found.slice(0, 180)}`);
  }
}

async function restore(chosen: Point): Promise<void> {
  const { name } = chosen.backup.metadata;
  for (const [volume, same] of await restoresExactly(tidemark, chosen)) {
    if (!same) differences.push(`${name}: ${volume} restores to other bytes than it held`);
    say(`${name}: ${volume} restored, ${same ? green('identical to what the disk held') : red('DIFFERENT')}`);
  }
}

async function show(command: string, ...args: string[]): Promise<void> {
  const printed =
    command === 'tidemark'
      ? (await run([...tidemark.cli, ...args, '-n', NAMESPACE])).stdout
      : await tidemark.cluster.kubectl(['-n', NAMESPACE, command, ...args]);
  quote(`$ kubectl ${[command, ...args].join(' ')} -n ${NAMESPACE}\n${printed}`);
}

function summary(): void {
  const rows = points.map(({ backup: { metadata, status } }) => [
    metadata.name,
    status?.type ?? '',
    status?.typeReason ?? '',
    String(status?.chain?.position ?? ''),
    status?.size ?? '',
    String(status?.seconds ?? ''),
  ]);
  table(['BACKUP', 'TYPE', 'WHY', 'POSITION', 'SIZE', 'SECONDS'], rows);
  chapter(
    differences.length === 0
      ? green('Every restored byte is what the disk held.')
      : red('Something is not as it should be:'),
  );
  for (const difference of differences) say(red(difference));
}
