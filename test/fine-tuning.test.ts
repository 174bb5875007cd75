import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import type { Examples } from "../src/data/dataset.ts";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { convnet } from "../src/models/convnet.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { TrainResult } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const data = glyphs({ train: 2000, test: 500 });
const inverted = (examples: Examples): Examples => ({
  ...examples,
  inputs: (examples.inputs as Uint8Array).map((pixel) => 255 - pixel),
});
const shifted = { examples: inverted(data.train), test: inverted(data.test) };

interface Trained {
  readonly result: TrainResult;
  readonly bytes: Uint8Array;
}

async function finish(options: Omit<TrainOptions, "runtime">): Promise<Trained> {
  for await (const event of train({ runtime, batch: 32, validation: 0, optimizer: "adam", ...options }))
    if (event.kind === "done") return { result: event.result, bytes: event.model };
  throw new Error("not done");
}

/** Mean cross-entropy and accuracy of a file in a bare session, in float64 from its logits. */
async function measure(bytes: Uint8Array, { inputs, labels, count }: Examples) {
  const session = await ort.InferenceSession.create(bytes);
  const input = new ort.Tensor(
    "float32",
    Float32Array.from(inputs, (byte) => byte / 255),
    [count, 1, 28, 28],
  );
  const logits = (await session.run({ input })).logits?.data as Float32Array;
  await session.release();
  let [loss, correct] = [0, 0];
  for (let row = 0; row < count; row++) {
    const scores = [...logits.subarray(10 * row, 10 * row + 10)];
    const own = scores[labels[row] as number] as number;
    loss += Math.log(scores.reduce((sum, score) => sum + Math.exp(score - own), 0)) / count;
    if (own === Math.max(...scores)) correct++;
  }
  return { loss, accuracy: correct / count };
}

/** What other programs see of a file. */
async function interfaceOf(bytes: Uint8Array) {
  const session = await ort.InferenceSession.create(bytes);
  const { inputMetadata, outputMetadata } = session;
  await session.release();
  const { nodes, initializers, proto } = decodeModel(bytes);
  const stored = [...initializers].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const opsets = proto.opsetImport.map(({ domain, version }) => ({ domain, version }));
  return { inputMetadata, outputMetadata, opsets, nodes, stored };
}

/** Names of the stored tensors whose values differ. */
function changedTensors(before: Uint8Array, after: Uint8Array): string[] {
  const others = decodeModel(after).initializers;
  return [...decodeModel(before).initializers]
    .filter(([name, { data: values }]) => others.get(name)?.data.join() !== values.join())
    .map(([name]) => name);
}

const base = finish({
  model: convnet({
    input: [1, 28, 28],
    outputs: 10,
    architecture: "Conv4,5,2,2-ReLU--Conv8,3,2,1-ReLU--F-FC32-ReLU--FC",
  }),
  examples: data.train,
  gradient: "exact",
  learningRate: 0.01,
  steps: 300,
});

const isLast = (name: string) => name.startsWith("block4.");
const isBias = (name: string) => name.endsWith(".bias");
const isWeight = (name: string) => name.endsWith(".weight");
const cases = [
  { name: "its last layer", changed: isLast, settings: { trainable: isLast, learningRate: 0.02 } },
  {
    name: "its biases",
    changed: isBias,
    settings: { trainable: isBias, perturb: "weights", learningRate: 0.1 },
  },
  {
    name: "low-rank adapters",
    changed: isWeight,
    settings: { adapter: { rank: 2 }, sampler: "rademacher", aggregate: "mean", learningRate: 0.01 },
  },
] as const;

describe("a file, adapted to inverted images by forward gradients", () => {
  it.each(cases)("of $name", async ({ changed, settings }) => {
    const { bytes } = await base;
    const before = await measure(bytes, shifted.test);
    expect((await measure(bytes, data.test)).accuracy).toBeGreaterThan(0.6);
    const { result, bytes: adapted } = await finish({ model: bytes, ...shifted, ...settings, steps: 400 });
    const after = await measure(adapted, shifted.test);
    // The file knows less than nothing of these images at first: chance has the loss ln 10 = 2.30.
    expect(before.loss).toBeGreaterThan(2.3);
    expect(after.loss).toBeLessThan(2.2);
    expect(after.accuracy).toBeGreaterThan(0.2);
    expect(result.testAccuracy).toBe(after.accuracy);
    expect(result.testLoss).toBeCloseTo(after.loss, 4);
    expect(await interfaceOf(adapted)).toEqual(await interfaceOf(bytes));
    const stored = [...decodeModel(bytes).initializers.keys()];
    expect(changedTensors(bytes, adapted)).toEqual(stored.filter(changed));
  });
});
