/** A decoder of Llama's kind with matrices of 4 bits, as PyTorch exports and ONNX Runtime quantizes it, against PyTorch in float64. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blockSites } from "../src/ad/blocks.ts";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { tangentName } from "../src/ad/names.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { adaptModel } from "../src/objective/adapters/adapt-model.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32, int64, type Tensor, toNumbers } from "../src/onnx/tensor.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const folder = new URL("cases/decoder/", import.meta.url);
const known = JSON.parse(readFileSync(new URL("decoder.golden.json", folder), "utf8")) as {
  readonly tokens: number[][];
  readonly labels: number[][];
  /** Of each example. */
  readonly losses: number[];
  /** Of each example's loss along two directions. */
  readonly derivatives: number[][];
  readonly gradients: Readonly<Record<"first" | "last", Readonly<Record<"A" | "B", number[]>>>>;
};
const path = new URL("quantized.onnx", folder).pathname;
const model = loadModel(path);
const runtime = nodeRuntime({ threads: 1 });
const [batch, length] = [known.tokens.length, known.tokens[0]?.length as number];
/** make.py's numbers. */
const numbers = (count: number, place: number, scale: number) =>
  Float32Array.from({ length: count }, (_, index) => scale * Math.sin(place + 0.7 * index));

/** A and B of each matrix of 4 bits, in the order in which they run, the objective in which they are, and its feeds. */
async function adapted() {
  const { model: file, parameters: names } = adaptModel(model, {
    rank: 2,
    target: (name) => name.endsWith("_Q4"),
  });
  const objective = await compileObjective({
    ...{ model: file, loss: crossEntropy(), runtime, batch, dimensions: { sequence_length: length } },
    trainable: (name) => names.includes(name),
  });
  const ordered = file.nodes
    .filter(({ op }) => op === "MatMulNBits")
    .flatMap(({ inputs: [, matrix] }) => [`${matrix}.lora_A`, `${matrix}.lora_B`]);
  const parameters = (start: number, scale: number) =>
    ordered.map((name, index): [string, ReturnType<typeof float32>] => {
      const { shape } = objective.parameters[name] as Tensor;
      const data = numbers((shape[0] as number) * (shape[1] as number), start + index, scale);
      return [name, float32([...data], shape)];
    });
  const feeds = {
    ...Object.fromEntries(parameters(0, 0.3)),
    input_ids: int64(known.tokens.flat(), [batch, length]),
    labels: int64(known.labels.flat(), [batch, length]),
  };
  return { objective, ordered, parameters, feeds };
}

describe("adapters beside matrices of 4 bits", () => {
  it("have PyTorch's directional derivatives", async () => {
    const { objective, ordered, parameters, feeds } = await adapted();
    const forms = new Map(ordered.map((name) => [name, "stacked" as const]));
    const dual = derivativeGraph(objective.graph, forms, 2, "losses");
    const [first, second] = [parameters(100, 1), parameters(200, 1)];
    const tangents = first.map(([name, tensor], index): [string, Tensor] => [
      tangentName(name),
      float32([tensor, second[index]?.[1] as Tensor].flatMap(toNumbers), [2, ...tensor.shape]),
    ]);
    const found = await evaluate(runtime, dual, { ...feeds, ...Object.fromEntries(tangents) });
    const read = (name: string) => Float32Array.from(toNumbers(found[name] as Tensor));
    expect(relativeError(read("losses"), known.losses)).toBeLessThan(1e-6);
    expect(relativeError(read("derivatives"), known.derivatives.flat())).toBeLessThan(1e-5);
  });

  it("have PyTorch's gradient", async () => {
    const { objective, ordered, feeds } = await adapted();
    const estimator = await createEstimator(objective, { gradient: "exact" });
    const { gradients } = await estimator.estimate(feeds, [0, 0]);
    const names = [...ordered.slice(0, 2), ...ordered.slice(-2)];
    const expected = [known.gradients.first, known.gradients.last].flatMap(({ A, B }) => [A, B]);
    for (const [index, name] of names.entries())
      expect(relativeError(gradients[name] as Float32Array, expected[index] as number[]), name).toBeLessThan(
        1e-5,
      );
    await estimator.release();
  });
});

it("nodes that a quantizer left without modules belong to the blocks around them", async () => {
  const { objective } = await adapted();
  const { graph, output: end } = objective;
  const sites = blockSites(graph, graph.parameters, "losses", { end });
  // Three layers of seven matrices each, and the head.
  expect(sites.map(({ parameters }) => parameters.length)).toEqual([14, 14, 14, 2]);
});

describe("where a guess would take more memory than the parameters", () => {
  const long = 64;
  const tokens = Array.from(
    { length: batch * long },
    (_, index) => known.tokens.flat()[index % 21] as number,
  );
  const options = {
    ...{
      model,
      runtime,
      batch,
      seed: 1,
      adapter: { rank: 1, target: (name: string) => name.endsWith("_Q4") },
    },
    examples: { inputs: tokens, labels: Int32Array.from(tokens), shape: [long], count: batch },
  };
  const notesOf = async (file: Model) => {
    for await (const event of train({ ...options, model: file, steps: 1 }))
      if (event.kind === "start") return event.notes.map(String).join(" ");
    return "";
  };
  const proposal = /residual network of many numbers/;

  it("the run proposes the residual stream, which trains", async () => {
    expect(await notesOf(model)).toMatch(proposal);
    const losses: number[] = [];
    const perturb = { name: "blocks" as const, guess: "residual" as const };
    for await (const event of train({
      ...options,
      steps: 30,
      perturb,
      optimizer: "adam",
      learningRate: 0.02,
    }))
      if (event.kind === "step") losses.push(event.loss);
    expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] as number));
  });

  it("but not where it goes on to no second block", async () => {
    // The first two layers are one block.
    const bytes = readFileSync(path, "latin1").replaceAll("layers.1", "layers.0");
    expect(await notesOf(decodeModel(Buffer.from(bytes, "latin1")))).not.toMatch(proposal);
  });
});

it("long texts are measured few at a time, so that no value takes more than 32 MiB", async () => {
  const long = 512;
  const count = 40;
  const fed: number[] = [];
  const observed: Runtime = {
    ...runtime,
    async createSession(...given) {
      const session = await runtime.createSession(...given);
      return {
        ...session,
        run(feeds, names) {
          const ids = feeds.input_ids;
          if (ids) fed.push(ids.shape[0] as number);
          return session.run(feeds, names);
        },
        release: () => session.release(),
      };
    },
  };
  const inputs = Float32Array.from({ length: count * long }, (_, index) => index % 24);
  const { counted } = await evaluateModel({
    ...{ model, parameters: {}, loss: crossEntropy(), runtime: observed },
    examples: { inputs, labels: Int32Array.from(inputs), shape: [long], count },
  });
  expect(counted).toBe(count * long);
  // Scores of attention: 4 heads of 512 × 512 numbers of 4 bytes.
  expect(fed).toEqual([8, 8, 8, 8, 8]);
});
