/** See mutate.mjs. */
export function mutate(
  bytes: Uint8Array,
  seed: number,
  kinds?: readonly string[],
): { readonly bytes: Uint8Array; readonly made: readonly string[] };
