import { ownFiles } from "../storage/own-files.ts";
import { type RunStore, readFilled, removeFile } from "../storage/run-store.ts";

/**
 * The store of one trial inside the store of a search, so that an interrupted trial goes on where it was. All trials use
 * the same files in turn: what another trial left there is removed first.
 *
 * @param trial tells a trial from all others of the search
 */
export async function trialStore(store: RunStore, trial: string): Promise<RunStore> {
  const inside = (name: string) => `trial/${name}`;
  const owner = await readFilled(store, inside("trial.txt"));
  if (!owner || new TextDecoder().decode(owner) !== trial) {
    // The owner comes last: until then, every start removes the files again.
    for (const name of ownFiles.train) await removeFile(store, inside(name));
    await store.write(inside("trial.txt"), new TextEncoder().encode(trial));
  }
  return {
    describe: `${store.describe}/trial`,
    read: (name) => readFilled(store, inside(name)),
    // The trained model of a trial is not needed.
    write: async (name, bytes) => (name === "model.onnx" ? undefined : store.write(inside(name), bytes)),
    append: (name, text) => store.append(inside(name), text),
    truncate: (name, bytes) => store.truncate(inside(name), bytes),
    remove: (name) => removeFile(store, inside(name)),
  };
}
