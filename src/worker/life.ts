/** Whether a worker lives: nothing but a lock that it holds tells its page that it was killed. */

/** The Web Lock that a worker holds while it lives: nothing else tells a page that a worker was killed. */
function lockName(run: string): string {
  return `forwardgrad worker ${run}`;
}

/** As much of the Web Locks as is used here. */
interface Locks {
  request(name: string, work: () => unknown): Promise<unknown>;
}

/** The locks of a page or worker, where it has some. */
const locks = (globalThis as { readonly navigator?: { readonly locks?: Locks } }).navigator?.locks;

/** As much of a `Worker` as tells of its failures. */
interface Failing {
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
}

/**
 * Hears how a worker dies: it cannot be started, or what it holds for its life is free.
 *
 * @returns to be told that it lives, and whether it holds its lock
 */
export function hearDeath(
  worker: Failing,
  run: string,
  die: (how: string) => void,
): (isLocked: boolean) => void {
  let isAlive = false;
  worker.addEventListener("error", ({ message }) => {
    // Later errors may be of other code in the worker; its lock tells whether it lives.
    if (!isAlive) die(`it could not be started${message ? `: ${message}` : ""}`);
  });
  return (isLocked) => {
    isAlive = true;
    // Granted when the worker, which holds it, is gone.
    if (isLocked) void locks?.request(lockName(run), () => die("it was ended"));
  };
}

/** Holds a lock for the worker's whole life, and says when it does. */
export function holdLock(run: string, held: (isLocked: boolean) => void): Promise<void> {
  return new Promise((resolve) => {
    const tell = (isLocked: boolean) => {
      held(isLocked);
      resolve();
      return new Promise(() => undefined);
    };
    if (!locks) void tell(false);
    else locks.request(lockName(run), () => tell(true)).catch(() => tell(false));
  });
}
