import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { lengthOfTime } from '../domain/length-of-time.ts';
import { UsageError } from './exit-code.ts';

/** `--timeout`, for every command that waits: milliseconds. */
export const timeoutOption = () =>
  new Option(
    '--timeout <duration>',
    'give up waiting after so long, for example 30m or 1h30m; exit with 1 then (default: never)',
  ).argParser(milliseconds);

function milliseconds(text: string): number {
  const length = lengthOfTime(text);
  if (length === undefined)
    throw new InvalidArgumentError('write a length of time, for example 30m or 1h30m.');
  // A timer holds no more.
  return Math.min(length, 2 ** 31 - 1);
}

/** @throws UsageError when there is a timeout, and nothing is waited for */
export function checkPatience({
  wait,
  timeout,
}: {
  readonly wait: boolean;
  readonly timeout?: number | undefined;
}): void {
  if (timeout !== undefined && !wait) throw new UsageError('--timeout is for waiting: wait, or leave it out');
}
