import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import type { TrainResult } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

// A problem that trains in a moment: is a point of the plane inside a circle?
export const runtime = nodeRuntime({ threads: 1 });
export const model = encodeModelFile(
  mlp({ input: [2], hidden: [12], outputs: 2, activation: "tanh", seed: 1 }),
);
export const count = 640;
export const inputs = Float32Array.from(
  { length: 2 * count },
  (_, index) => (((index + 1) * 0.7548776662) % 1) * 2 - 1,
);
const inside = (index: number) =>
  Math.hypot(inputs[2 * index] as number, inputs[2 * index + 1] as number) < 0.8;
export const labels = Int32Array.from({ length: count }, (_, index) => (inside(index) ? 1 : 0));

export const examples = { inputs, labels };

/** Trains to the end and returns the result. */
export async function finish(options: Partial<TrainOptions>): Promise<TrainResult> {
  for await (const event of train({ model, examples, runtime, batch: 32, ...options }))
    if (event.kind === "done") return event.result;
  throw new Error("not done");
}

/** A store in memory. */
export function memory(): RunStore & { readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  const text = (name: string) => new TextDecoder().decode(files.get(name));
  return {
    files,
    describe: "memory",
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes.slice()),
    append: async (name, line) =>
      void files.set(name, new TextEncoder().encode((files.has(name) ? text(name) : "") + line)),
    truncate: async (name, bytes) =>
      void (files.has(name) && files.set(name, (files.get(name) as Uint8Array).slice(0, bytes))),
  };
}
