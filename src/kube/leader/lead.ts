import type { Logger } from 'pino';
import type { Kube } from '../client.ts';
import { type Clock, sleep } from '../clock.ts';
import { deadline } from '../deadline.ts';
import { AlreadyExists, Conflict, NotFound } from '../errors.ts';
import { type LeaseObject, leases, microTime } from '../lease.ts';
import { nextStep, type SeenLease, seeLease } from './decide.ts';

export interface ElectionOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly name: string;
  /** Names this process among all candidates, for ever: no other one may have it while this one lives. */
  readonly identity: string;
  readonly clock: Clock;
  /** Rising milliseconds that no one can set back. */
  readonly uptime: () => number;
  readonly log: Logger;
  readonly timing?: Timing;
}

/** `renewWithinMs` must be well below the lease's duration: the difference is what a request may take to arrive. */
export interface Timing {
  readonly leaseSeconds: number;
  readonly renewWithinMs: number;
  readonly retryMs: number;
}

/** Those of kube-controller-manager. */
const DEFAULT_TIMING: Timing = { leaseSeconds: 15, renewWithinMs: 10_000, retryMs: 2000 };

/** A lease that was lost: another one may lead by now, so nothing more may be done here. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

/** One candidate for a lease. */
export class Election {
  readonly #options: ElectionOptions;
  readonly #timing: Timing;
  #seen: SeenLease | undefined;
  #validUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#timing = options.timing ?? DEFAULT_TIMING;
  }

  /** Whether this process leads at this very moment, by the clock, not by what it last heard. */
  leads(): boolean {
    return this.#options.uptime() < this.#validUntil;
  }

  /**
   * Waits for the lease, then does the work while it is renewed. Resolves when the signal aborts and the work has ended; the
   * lease is given back only then, so that the next one begins at once and never beside us.
   *
   * @param work gets a signal that aborts when the process stops or the lease is lost
   * @throws LeadershipLost when the lease could not be renewed in time: end the process
   */
  async lead(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#options;
    while (!signal.aborted && !(await this.#try(signal))) await pause(clock, this.#timing.retryMs, signal);
    if (signal.aborted) return;
    log.info({ lease: this.#options.name }, 'leads');
    const over = new AbortController();
    const renewing = this.#keepRenewing(over, signal);
    try {
      await work(AbortSignal.any([signal, over.signal]));
    } finally {
      over.abort(new Error('The work has ended.'));
      await renewing;
    }
    if (over.signal.reason instanceof LeadershipLost) throw over.signal.reason;
    await this.#release();
  }

  /** Renews while the work goes on, even after the signal: the last reconciles end under our lease. */
  async #keepRenewing(over: AbortController, signal: AbortSignal): Promise<void> {
    const { clock, log, name } = this.#options;
    const { signal: done } = over;
    for (;;) {
      await pause(clock, this.#timing.retryMs, done);
      if (done.aborted) return;
      // Once the time is over it stays over: what we sent last may still be under way.
      if (this.leads()) await this.#try(done);
      if (done.aborted) return;
      if (this.leads()) continue;
      if (!signal.aborted) log.error({ lease: name }, 'lost the lease: another one may lead now');
      over.abort(new LeadershipLost(`The lease ${name} could not be renewed in time: stopped acting.`));
      return;
    }
  }

  /** One look, and one write if the lease is ours to take. Resolves to whether we hold it now; never rejects. */
  async #try(signal: AbortSignal): Promise<boolean> {
    const { uptime, log, identity } = this.#options;
    const { renewWithinMs } = this.#timing;
    const begun = uptime();
    using limit = deadline(this.leads() ? this.#validUntil - begun : renewWithinMs, signal);
    try {
      this.#seen = await this.#look(limit.signal);
      const step = nextStep(this.#seen, identity, uptime());
      if (step.kind === 'Wait') {
        // Taken from us while we held it: whoever did so leads.
        this.#validUntil = Number.NEGATIVE_INFINITY;
        return false;
      }
      await this.#write(identity, step.kind === 'Create' || step.reason !== 'OursAlready', limit.signal);
      this.#validUntil = begun + renewWithinMs;
      return true;
    } catch (error) {
      if (error instanceof Conflict || error instanceof AlreadyExists)
        log.debug('another candidate was faster');
      else if (!signal.aborted) log.warn({ err: error }, 'the lease could not be read or written');
      return false;
    }
  }

  async #look(signal: AbortSignal): Promise<SeenLease | undefined> {
    const { kube, namespace, name, uptime } = this.#options;
    try {
      const { metadata, spec } = await kube.get(leases, { namespace, name }, signal);
      return seeLease(this.#seen, { resourceVersion: metadata.resourceVersion, spec }, uptime());
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** Writes only over what was seen: of two candidates one gets a Conflict. */
  async #write(holder: string, isNew: boolean, signal: AbortSignal): Promise<LeaseObject> {
    const { kube, namespace, name, clock } = this.#options;
    const { leaseSeconds } = this.#timing;
    const now = microTime(new Date(clock.now()));
    const before = this.#seen?.spec;
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: holder === '' ? 1 : leaseSeconds,
      acquireTime: isNew ? now : (before?.acquireTime ?? now),
      renewTime: now,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (isNew && before !== undefined ? 1 : 0),
    };
    if (this.#seen === undefined) {
      return await kube.create(leases, { metadata: { namespace, name }, spec }, signal);
    }
    const operations = [
      { op: 'test', path: '/metadata/resourceVersion', value: this.#seen.resourceVersion },
      { op: 'add', path: '/spec', value: spec },
    ] as const;
    return await kube.patch(leases, { namespace, name }, operations, signal);
  }

  async #release(): Promise<void> {
    if (!this.leads()) return;
    const { log } = this.#options;
    using limit = deadline(this.#timing.retryMs, new AbortController().signal);
    this.#validUntil = Number.NEGATIVE_INFINITY;
    try {
      this.#seen = await this.#look(limit.signal);
      if (this.#seen?.spec?.holderIdentity === this.#options.identity)
        await this.#write('', false, limit.signal);
      log.info('gave the lease back');
    } catch (error) {
      log.warn({ err: error }, 'the lease was not given back: the next one waits until it expires');
    }
  }
}

/** Waits; an abort ends it early and is no error. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await sleep(clock, ms, signal).catch(() => undefined);
}
