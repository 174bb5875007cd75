/** Whether a worker lives: nothing but a lock that it holds tells its page that it was killed. */

/** The Web Lock that a worker holds while it lives: nothing else tells a page that a worker was killed. */
export function lockName(run: string): string {
  return `forwardgrad worker ${run}`;
}

/** As much of the Web Locks as is used here. */
interface Locks {
  request(name: string, work: () => unknown): Promise<unknown>;
}

/** The locks of a page or worker, where it has some. */
export const locks = (globalThis as { readonly navigator?: { readonly locks?: Locks } }).navigator?.locks;

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
