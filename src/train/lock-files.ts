import type { RunFiles } from "../storage/run-files.ts";
import type { RunStore } from "../storage/run-store.ts";
import type { RunState } from "./run-state.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** Takes a run's store for it; what does so loads where a run is kept: pages that keep none do without. */
export async function lockFiles(
  store: RunStore,
  { resume, overwrite, allowChanges }: RunOptions,
): Promise<RunFiles<RunState>> {
  const { RunFiles } = await import("../storage/run-files.ts");
  const { runStateSchema } = await import("./run-state-schema.ts");
  return RunFiles.lock(store, runStateSchema, { resume, overwrite, allowChanges });
}
