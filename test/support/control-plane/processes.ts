import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlaneError } from './errors.ts';
import { assertAlive, type Command, type ProcessName, type RunningProcess, startProcess } from './process.ts';

const pollMilliseconds = 100;
const patienceMilliseconds = 120_000;

/** The processes of one cluster, by name. */
export class Processes {
  readonly #running = new Map<ProcessName, RunningProcess>();

  async start(command: Command): Promise<void> {
    this.#running.set(command.name, await startProcess(command));
  }

  list(): readonly { readonly name: ProcessName; readonly pid: number }[] {
    const alive = [...this.#running.values()].filter((process) => !process.hasEnded());
    return alive.map(({ command, pid }) => ({ name: command.name, pid }));
  }

  async kill(name: ProcessName, signal: NodeJS.Signals): Promise<void> {
    const process = this.#get(name);
    process.send(signal);
    if (signal === 'SIGKILL') await process.ended;
  }

  async restart(name: ProcessName): Promise<void> {
    const process = this.#get(name);
    await process.end();
    await this.start(process.command);
  }

  /**
   * Waits until the process `name` is ready. Whatever `isReady` throws means "not yet".
   *
   * @throws ControlPlaneError `ProcessExited` when it or etcd ends meanwhile; `NotReady` after two minutes.
   */
  async until(name: ProcessName, isReady: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
    let last: unknown = 'it said that it was not';
    const deadline = performance.now() + patienceMilliseconds;
    while (performance.now() < deadline) {
      signal?.throwIfAborted();
      await assertAlive(this.#get('etcd'));
      await assertAlive(this.#get(name));
      try {
        if (await isReady()) return;
      } catch (error) {
        last = error;
      }
      await sleep(pollMilliseconds, undefined, signal && { signal });
    }
    const message = `${name} is not ready after ${patienceMilliseconds / 1000} seconds: ${String(last)}`;
    throw new ControlPlaneError('NotReady', message, { cause: last });
  }

  /** Ends the youngest first, so that none complains about one that is gone. */
  async endAll(): Promise<void> {
    for (const process of [...this.#running.values()].toReversed()) await process.end();
  }

  #get(name: ProcessName): RunningProcess {
    const process = this.#running.get(name);
    if (!process) throw new ControlPlaneError('ProcessExited', `this cluster was started without ${name}`);
    return process;
  }
}
