/** What a run understood, in a few lines before it trains: what is fed, what is trained, and what it will take. */
import type { Dataset } from "../../data/dataset.ts";
import { sliceSize } from "../../estimate/passes.ts";
import { storedMatrices } from "../../objective/adapters/stored-matrices.ts";
import { modelFrom } from "../../objective/importing/model-file.ts";
import { exampleInput, type FedInput } from "../../objective/model-inputs.ts";
import { formatShape } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { elementCount, isFloat } from "../../onnx/tensor.ts";
import { formatDuration } from "../../studies/report.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { TrainOptions } from "../../train/settings/options.ts";

type Start = TrainEvent & { readonly kind: "start" };
type Step = TrainEvent & { readonly kind: "step" };

/** What is known of a run before it trains, and after its first steps. */
export interface Outlook {
  /** Everything that was said. */
  readonly lines: readonly string[];
  /** The lines of a run that begins. */
  begin(event: Start): Promise<readonly string[]>;
  /** How long it will take, once, when enough steps were measured; of steps that train a head alone, and of those behind them. */
  step(event: Step): string | undefined;
}

/** Steps that are waited for, the first one aside, before a time is told. */
const measured = 5;

export function outlookOf(options: Omit<TrainOptions, "test">, dataset: Pick<Dataset, "train">): Outlook {
  const lines: string[] = [];
  // The first step of the stage that is measured.
  let first: { readonly step: number; readonly at: number; readonly end: number } | undefined;
  let isTold = false;
  let alone = 0;
  return {
    lines,
    async begin(event) {
      alone = event.headAlone ?? 0;
      const model = await modelFrom(options.model);
      lines.push(...inputLines(model, options, dataset, event), trainedLine(model, event));
      const isOfHeads = event.notes.some(({ mentions }) =>
        mentions.some(({ option }) => option === "perturb.localHeads"),
      );
      if (isOfHeads)
        lines.push(
          "objective: the loss of a head of its own for each block; the model's loss for the last one alone",
        );
      const memory = memoryLine(options, event);
      if (memory !== undefined) lines.push(memory);
      return lines;
    },
    step({ step, steps }) {
      const now = performance.now();
      const end = step <= alone ? alone : steps;
      if (first?.end !== end) {
        first = { step, at: now, end };
        isTold = false;
      }
      const done = step - first.step;
      if (isTold || done < measured || step >= end) return undefined;
      isTold = true;
      const seconds = (now - first.at) / 1000 / done;
      const others = `${(end - step).toLocaleString("en")} steps${end < steps ? " of the head alone" : ""}`;
      const { patience } = options;
      const minutes = typeof patience === "object" ? patience.minutes : undefined;
      const isCut = minutes !== undefined && seconds * (end - step) > minutes * 60;
      const line =
        `time: about ${formatDuration(seconds * (end - step))} for the other ${others}, ` +
        `${seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : `${seconds.toFixed(1)} s`} each (measured on ${done})${
          isCut
            ? `; the run ends after ${formatDuration(minutes * 60)}, with the steps done by then (--max-minutes)`
            : ""
        }`;
      lines.push(line);
      return line;
    },
  };
}

/** What each input is fed, and what of the model the loss reads. */
function inputLines(
  model: Model,
  options: Omit<TrainOptions, "test">,
  { train }: Pick<Dataset, "train">,
  { batch, head, output }: Start,
): string[] {
  const { further, ...main } = exampleInput(model, train, options);
  const shown = ({ name, dtype, shape }: FedInput) => `'${name}' ${dtype} ${formatShape([batch, ...shape])}`;
  const filled = Object.entries(options.fill ?? {}).map(([name, value]) => `'${name}' filled with ${value}`);
  const declared = model.outputs.find(({ name }) => name === output)?.dimensions;
  const shape = declared ? ` ${formatShape(declared)}` : "";
  const own = head
    ? `a new head of ${head.outputs} ${head.outputs === 1 ? "output" : "outputs"} on '${head.from}'`
    : `the model's own, '${output}'${shape}`;
  return [`inputs: ${[main, ...further].map(shown).concat(filled).join(", ")}`, `head: ${own}`];
}

const adapterOf = /\.lora_[AB]$/;

/** "trained: 13,826 numbers of 22,736,642 (0.06 %)" */
function trainedLine(model: Model, { trained, parameters }: Start): string {
  const quantized = storedMatrices(model).filter((matrix) => matrix.quantized.length > 0);
  const few = new Map(quantized.map(({ name, shape }) => [name, elementCount(shape)]));
  const sizeOf = (name: string) => {
    const tensor = model.initializers.get(name);
    return few.get(name) ?? (tensor && isFloat(tensor.dtype) ? elementCount(tensor.shape) : 0);
  };
  const own = [...model.initializers.keys()].reduce((sum, name) => sum + sizeOf(name), 0);
  const added = parameters - trained.reduce((sum, name) => sum + sizeOf(name), 0);
  const all = own + added;
  const share = (100 * parameters) / all;
  const count = (value: number) => value.toLocaleString("en");
  const tensors = `${trained.length} ${trained.length === 1 ? "tensor" : "tensors"}`;
  const isAdapted = trained.some((name) => adapterOf.test(name));
  return (
    `trained: ${count(parameters)} numbers of ${count(all)} (${share < 1 ? share.toPrecision(1) : share.toFixed(0)} %), in ${tensors}` +
    (isAdapted ? ", adapters among them" : "")
  );
}

const float = 4;

/** What JavaScript's heap and the engine's pools grow by in the first steps: 14 to 39 MB with networks of MNIST's size. */
const growth = 25e6;

/** The memory of this process when all is loaded and compiled, and what a step adds to it. */
function memoryLine(options: Omit<TrainOptions, "test">, event: Start): string | undefined {
  const { batch, tangents, parameters, dimension, memory } = event;
  if (!memory) return undefined;
  const { optimizer, perturb, lowMemory = false } = options;
  const atOnce = Math.min(tangents, options.tangentChunk ?? (lowMemory ? 1 : tangents));
  const nameOf = (given: typeof optimizer | typeof perturb) =>
    typeof given === "object" ? given.name : given;
  const isOfWeights = nameOf(perturb) === "weights";
  // Tangents of weights that are not kept are drawn again slice by slice.
  const slices = lowMemory && isOfWeights ? tangents * Math.min(sliceSize, dimension) : 0;
  const drawn = atOnce * (isOfWeights ? 1 : batch) * dimension + slices;
  const slots = nameOf(optimizer)?.startsWith("adam") ? 2 : 1;
  // Tangents are drawn here and copied by the engine; gradients come back likewise.
  const own = float * (2 * (tangents > 0 ? drawn : 0) + parameters * (2 + slots));
  const now = process.memoryUsage.rss();
  const values = memory.forward + memory.kept;
  const step = values + memory.derivatives + own;
  // What measures the model is compiled anew, and so is the exact gradient where estimates are compared with it.
  const isCompared = tangents > 0 && (options.quality?.draws ?? 0) > 0;
  const end = memory.weights + (isCompared ? memory.weights + values : 0);
  return (
    `memory: about ${megabytes(now + step + end + growth)}: ${megabytes(now)} with all loaded and compiled, ${megabytes(step)} more in a step ` +
    `(${megabytes(values)} of values, ${megabytes(memory.derivatives)} of derivatives, ${megabytes(own)} of tangents and gradients), ${megabytes(end)} to measure the result, ${megabytes(growth)} for the program itself`
  );
}

/** "1.2 GB", "340 MB" */
function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.max(1, Math.round(bytes / 1e6))} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
