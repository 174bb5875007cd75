/** A worker of a study: measures units with data of its own, in a folder that goes with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport } from "../../distributed/transport.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { runFolder } from "../../storage/node-run-folder.ts";
import { objectName } from "../../studies/spread/messages.ts";
import { type TakeResult, takeUnits } from "../../studies/spread/take.ts";
import { datasetLoader } from "../flags/datasets.ts";
import { say } from "../output.ts";

/** Milliseconds between looks for what a run is, which its coordinator writes soon after the run is there. */
const lookMilliseconds = 500;

/** Whether a run is a study; a training otherwise, or nothing when the worker was told to stop before anybody said it. */
export async function isStudy({ objects }: Transport, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const names = await objects.names();
    if (names.includes(objectName)) return true;
    if (names.length > 0) return false;
    await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
  }
  return false;
}

/** How a study's worker measures. */
export interface StudyWorkerOptions {
  readonly run: string;
  readonly dataDir?: string | undefined;
  readonly threads?: number | undefined;
  readonly signal: AbortSignal;
}

/** Measures units until the study is over. */
export async function measureUnits(
  transport: Transport,
  { run, dataDir, threads, signal }: StudyWorkerOptions,
): Promise<TakeResult> {
  const folder = await mkdtemp(join(tmpdir(), "forwardgrad-units-"));
  try {
    const runtime = nodeRuntime({ threads });
    return await takeUnits({
      transport,
      environment: {
        runtime,
        signal,
        dataset: datasetLoader(dataDir),
        scratch: (name) => runFolder(join(folder, ...name.split("/"))),
      },
      onEvent: (event) => {
        if (event.kind === "measuring") say(`run ${run}, study ${event.study}: measures ${event.key}`);
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
