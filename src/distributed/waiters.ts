/** Those who wait until something changes. */

/** Wakes all that wait, each of whom looks by itself whether it was for it. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Until something changes, for some milliseconds at most, or until it is aborted. */
  change(milliseconds?: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#waiting.delete(go);
        clearTimeout(timer);
        signal?.removeEventListener("abort", go);
        resolve();
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(go, milliseconds);
      this.#waiting.add(go);
      signal?.addEventListener("abort", go);
    });
  }

  /** Something has changed. */
  wake(): void {
    for (const go of [...this.#waiting]) go();
  }
}
