/** A model that is asked about examples, batch by batch, in a bare session: what measuring and predicting share. */
import { readInputs } from "../../data/batches.ts";
import type { Examples } from "../../data/dataset.ts";
import type { Words } from "../../errors/words.ts";
import type { Loss } from "../../losses/loss.ts";
import type { FinalActivation } from "../../objective/final-activation.ts";
import { floatOutput } from "../../objective/importing/import-model.ts";
import { lossOutput } from "../../objective/importing/loss-output.ts";
import { inSinglePrecision } from "../../objective/importing/precision.ts";
import { batchThatFits, checkMemory } from "../../objective/memory.ts";
import { batchInputs, checkedInput, type InputChoice } from "../../objective/model-inputs.ts";
import { pruneModel } from "../../onnx/prune-model.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { encodeModelForRuntime } from "../../runtime/evaluate.ts";
import type { Runtime, Tensors } from "../../runtime/runtime.ts";

/** Which model is asked, for what, and about which kind of examples. */
export interface AskedModelOptions extends InputChoice {
  /** The file that is run. */
  readonly model: Model;
  /** Replace the file's own values. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** Some of the examples, or one that is like them. */
  readonly examples: Pick<Examples, "count" | "shape" | "furtherInputs">;
  /** What reads the output. */
  readonly loss: Loss;
  /** As in `compileObjective`. */
  readonly output?: string;
  /** What runs it. */
  readonly runtime: Runtime;
  /** Examples of a batch, where the model leaves that open; as a bound: fewer where the model's values are large. */
  readonly batch: number | { readonly atMost: number };
}

/** A model in a session. */
export interface AskedModel {
  /** The value that was asked for, or the model's first float output. */
  readonly output: string;
  /** What it ends in, where the loss may read the value before. */
  readonly activation: FinalActivation | undefined;
  /** What is worth saying about the value that the loss reads, in sentences. */
  readonly notes: readonly Words[];
  /** Examples of a batch. */
  readonly batch: number;
  /** Runs the examples of these indices, as many as a batch has; gives the output, and what leads to it behind the activation. */
  ask(examples: Omit<Examples, "labels">, indices: Uint32Array): Promise<Tensors>;
  release(): Promise<void>;
}

/** Opens the session. @throws when the examples do not fit the model */
export async function openAskedModel(options: AskedModelOptions): Promise<AskedModel> {
  const { examples, runtime } = options;
  const given = await inSinglePrecision(options.model);
  const output = options.output ?? floatOutput(given);
  // What the output does not need may be nothing that the engine runs.
  const model = pruneModel(given, [output]);
  const input = await checkedInput(model, examples, options);
  const fixed = model.inputs.find(({ name }) => name === input.name)?.dimensions?.[0];
  const { dimensions } = input;
  const open = async () =>
    typeof options.batch === "number"
      ? options.batch
      : batchThatFits(model, { dimensions, atMost: options.batch.atMost });
  const batch = typeof fixed === "number" ? fixed : await open();
  await checkMemory(model, { batch, dimensions, runtime });
  const inputs = batchInputs(model, input, batch, options.fill);
  const read = await lossOutput(model, options.loss, output, options.output !== undefined);
  const { activation, notes } = read;
  const file = encodeModelForRuntime(
    read.model,
    new Map(Object.entries(options.parameters).filter(([name]) => model.initializers.has(name))),
  );
  const names = [output, ...(activation?.copies ?? []).flatMap((node) => node.outputs)];
  const session = await runtime.createSession(file);
  return {
    ...{ output, activation, notes, batch },
    async ask(asked, indices) {
      readInputs(asked, indices, inputs.values);
      inputs.written(asked, indices);
      return session.run(inputs.tensors, names);
    },
    release: () => session.release(),
  };
}

/** The indices from a start on that make a batch: the last one is filled up with its first example, whose copies do not count. */
export function batchOf(indices: Uint32Array, start: number, batch: number): Uint32Array {
  return Uint32Array.from(
    { length: batch },
    (_, position) => indices[start + position] ?? (indices[start] as number),
  );
}
