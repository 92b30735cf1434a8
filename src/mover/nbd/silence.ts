/** Looks out for a server that has gone quiet. */
export interface SilenceWatch {
  /** The server was heard, or has begun to owe something: count from now. */
  readonly heard: () => void;
  readonly end: () => void;
}

/** Calls `onSilence` when nothing was heard for so many milliseconds while something is owed. At most once for each silence. */
export function watchSilence(
  milliseconds: number,
  isOwed: () => boolean,
  onSilence: () => void,
): SilenceWatch {
  let times = 0;
  let hasEnded = false;
  const timer = setTimeout(() => {
    const before = times;
    // A long synchronous write may have kept us from listening: decide when the socket has had its turn.
    setImmediate(() => {
      if (hasEnded) return;
      if (times === before && isOwed()) onSilence();
      else timer.refresh();
    });
  }, milliseconds);
  return {
    heard: () => {
      times++;
      timer.refresh();
    },
    end: () => {
      hasEnded = true;
      clearTimeout(timer);
    },
  };
}
