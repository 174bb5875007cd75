/** Files of a run that stopped at step 20 of 60, made with the build of an older version. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const inputs = Float32Array.from({ length: 1280 }, (_, index) => (((index + 1) * 0.7548776662) % 1) * 2 - 1);
const labels = Int32Array.from({ length: 640 }, (_, index) =>
  Math.hypot(inputs[2 * index], inputs[2 * index + 1]) < 0.8 ? 1 : 0,
);

/**
 * Makes the files in a folder, with the build whose path is this program's argument.
 *
 * @param settings what that version calls its options, from { inputs, labels }
 */
export async function makeStoppedRun(folder, settings) {
  const dist = resolve(process.argv[2] ?? "dist");
  const load = (name) => import(pathToFileURL(join(dist, name)));
  const [{ mlp, train }, { nodeRuntime, runFolder }] = await Promise.all([load("index.js"), load("node.js")]);
  const stop = new AbortController();
  const events = train({
    model: mlp({ input: [2], hidden: [12], outputs: 2, activation: "tanh", seed: 1 }),
    ...{ runtime: nodeRuntime({ threads: 1 }), batch: 32, steps: 60 },
    ...{ store: runFolder(folder), signal: stop.signal },
    ...settings({ inputs, labels }),
  });
  for await (const event of events) if (event.kind === "step" && event.step === 20) stop.abort();
}
