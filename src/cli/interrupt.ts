import { say } from "./output.ts";

/** Thrown when the user pressed Ctrl-C; the work done so far is saved. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/**
 * Runs work that Ctrl-C (SIGINT) or SIGTERM ends after the current step; a second signal ends it at once.
 *
 * @param stopped what is said then
 * @throws InterruptedError when the work stopped early and so returned undefined
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T | undefined>,
  stopped = () => "Stopped; the same command with --resume goes on.",
): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    say("", "Stopping after this step; press Ctrl-C again to stop at once.");
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const result = await work(controller.signal);
    if (result === undefined) throw new InterruptedError(stopped());
    return result;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
