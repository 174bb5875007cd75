import type { RunStore } from "./run-store.ts";

const files = ["config.json", "metrics.jsonl", "checkpoint/state.safetensors"];

/**
 * The store of one trial inside the store of a search, so that an interrupted trial goes on where it was. All trials use
 * the same files in turn: what another trial left there is emptied, and an empty file is a missing one.
 *
 * @param trial tells a trial from all others of the search
 */
export async function trialStore(store: RunStore, trial: string): Promise<RunStore> {
  const inside = (name: string) => `trial/${name}`;
  const owner = await store.read(inside("trial.txt"));
  if (!owner || new TextDecoder().decode(owner) !== trial) {
    // The owner comes last: until then, every start empties the files again.
    for (const name of files) await store.write(inside(name), new Uint8Array());
    await store.write(inside("trial.txt"), new TextEncoder().encode(trial));
  }
  return {
    describe: `${store.describe}/trial`,
    async read(name) {
      const bytes = await store.read(inside(name));
      return bytes?.length ? bytes : undefined;
    },
    // The trained model of a trial is not needed.
    write: async (name, bytes) => (name === "model.onnx" ? undefined : store.write(inside(name), bytes)),
    append: (name, text) => store.append(inside(name), text),
    truncate: (name, bytes) => store.truncate(inside(name), bytes),
  };
}
