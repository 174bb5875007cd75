/** What can be chosen for a model of one's own, and the run that follows from it. */
import type { DroppedFile, WorkerTrainOptions } from "forwardgrad/web";
import type { ReadData, Reading, SeenModel } from "./asked.ts";

/** What the form says. */
export interface Choices extends Reading {
  /** all: every stored number on the way to the loss. lora: low-rank additions. head: a new last layer. */
  readonly trained: "all" | "lora" | "head";
  /** Passes over the examples. */
  readonly epochs: number;
  /** Directions a step. */
  readonly k: number;
}

/** At rest. */
export const defaults: Choices = {
  ...{ target: "", text: "", targets: "classes", ignored: "" },
  ...{ trained: "all", epochs: 20, k: 16 },
};

/** How many outputs the data ask for. */
export function outputsFor({ classes, train }: ReadData): number {
  return classes > 0 ? classes : train.labels.length / train.count;
}

/** The options of the run, all but where it is kept. */
export function runOptions(
  files: readonly DroppedFile[],
  seen: SeenModel,
  data: ReadData,
  { trained, epochs, k, targets }: Choices,
): WorkerTrainOptions {
  const outputs = outputsFor(data);
  const needsHead = trained === "head" || (seen.width !== undefined && seen.width !== outputs);
  const beside = trained === "all" ? "all" : "nothing";
  return {
    model: {
      // A file that came out of storage is called as it was dropped.
      files: files.map(({ path, file }) => new File([file], path.split("/").at(-1) ?? path)),
      ...(needsHead && { head: { outputs, beside } }),
    },
    examples: data.train,
    test: data.test,
    loss: targets === "classes" ? "cross-entropy" : "mean-squared-error",
    epochs,
    tangents: k,
    ...(trained === "lora" && { adapter: { rank: 8 } }),
    runtime: { wasmPaths: new URL("engine/", document.baseURI).href },
  };
}
