/** A lock that one process holds once, however often it asks. */

/**
 * `RunStore.lock` of a store whose lock cannot be taken twice: the first who asks takes it, and the last who releases gives it back.
 *
 * @param take takes the lock, and returns what gives it back
 */
export function countedLock(
  take: () => Promise<() => Promise<void> | void>,
): () => Promise<() => Promise<void>> {
  let giveBack: (() => Promise<void> | void) | undefined;
  let holders = 0;
  return async () => {
    if (holders === 0) giveBack = await take();
    holders++;
    let isReleased = false;
    return async () => {
      if (isReleased) return;
      isReleased = true;
      holders--;
      if (holders === 0) await giveBack?.();
    };
  };
}
