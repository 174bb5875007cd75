/** Models of several inputs: texts with their masks, pairs of pictures, tables beside pictures. */
import { describe, expect, it } from "vitest";
import { splitTest } from "../src/data/split.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { predict } from "../src/train/evaluation/predict.ts";
import type { ExampleArrays } from "../src/train/example-arrays.ts";
import { previewTraining } from "../src/train/run-plan.ts";
import { train } from "../src/train/train.ts";
import { examplesOf, readCase, useEverywhere } from "./cases.ts";

const kind = "several-inputs";
const runtime = nodeRuntime({ threads: 1 });
const loss = crossEntropy();
const dimensions = { sequence_length: 6, batch_size: 4 };
const bert = readCase(kind, "bert-opset17");
const pictures = readCase(kind, "pictures-dynamo18");
const beside = readCase(kind, "beside-opset17");

describe("a model of several inputs is trained, adapted and measured, with PyTorch's loss and gradient", () => {
  it.each(["bert-opset17", "bert-dynamo18"])("%s", (name) =>
    useEverywhere(kind, name, { input: "input_ids", dimensions: { sequence_length: 6 } }),
  );
  it("pictures-dynamo18", () => useEverywhere(kind, "pictures-dynamo18", { input: "right" }));
  it("beside-opset17", () => useEverywhere(kind, "beside-opset17"));
});

/** The golden's batch as users have it: one array for each input. */
function arraysOf({ golden }: typeof bert, change: Partial<ExampleArrays> = {}): ExampleArrays {
  const inputs = Object.fromEntries(Object.entries(golden.inputs).map(([name, { data }]) => [name, data]));
  return { inputs, labels: golden.labels, count: golden.labels.length, ...change };
}

/** Loss of the first step, which reads all four examples. */
async function firstLoss(model: typeof bert.model, examples: ExampleArrays): Promise<number> {
  const options = {
    model,
    examples,
    runtime,
    loss,
    validation: 0,
    batch: 4,
    steps: 1,
    gradient: "exact" as const,
  };
  for await (const event of train(options)) if (event.kind === "step") return event.loss;
  throw new Error("no step");
}

describe("arrays by the names of inputs", () => {
  it("are examples, in any kind of array and any order, of sizes that follow from how many there are", async () => {
    const { inputs } = arraysOf(bert);
    const [ids, mask, types] = Object.values(inputs as Record<string, number[]>) as [
      number[],
      number[],
      number[],
    ];
    const others: ExampleArrays["inputs"] = {
      token_type_ids: new BigInt64Array(types.map(BigInt)),
      attention_mask: Uint8Array.from(mask),
      input_ids: Int32Array.from(ids),
    };
    for (const given of [inputs, others])
      expect(await firstLoss(bert.model, arraysOf(bert, { inputs: given }))).toBeCloseTo(bert.golden.loss, 5);
    const shaped = { inputs: others, count: undefined, shape: [6] };
    expect(await firstLoss(bert.model, arraysOf(bert, shaped))).toBeCloseTo(bert.golden.loss, 5);
    const { left, right } = arraysOf(pictures).inputs as Record<string, number[]>;
    const mirrored = [true, false, false, true];
    const seen = arraysOf(pictures, {
      inputs: { mirrored, left, right } as ExampleArrays["inputs"],
      count: undefined,
    });
    expect(await firstLoss(pictures.model, seen)).toBeCloseTo(pictures.golden.loss, 5);
  });

  it("are pixels as bytes where the model takes floats, and whole numbers where it takes these", async () => {
    const { mirrored } = arraysOf(pictures).inputs as Record<string, number[]>;
    const bytes = Uint8Array.from({ length: 4 * 36 }, (_, place) => (place * 37) % 256);
    const scaled = Array.from(bytes, (byte) => byte / 255);
    const losses = await Promise.all(
      [bytes, scaled].map((left) =>
        firstLoss(
          pictures.model,
          arraysOf(pictures, {
            inputs: { left, right: left, mirrored: Uint8Array.from(mirrored as number[]) },
          }),
        ),
      ),
    );
    expect(losses[0]).toBeCloseTo(losses[1] as number, 6);
  });

  it("are what predict and evaluateModel read", async () => {
    const { inputs, count } = arraysOf(bert);
    const classes: number[] = [];
    for await (const said of predict({ model: bert.model, examples: { inputs, count }, runtime, batch: 3 }))
      if (said.kind === "class")
        classes.push(-Math.log(said.probabilities[bert.golden.labels[said.index] as number] as number));
    expect(classes.reduce((a, b) => a + b) / 4).toBeCloseTo(bert.golden.loss, 5);
  });

  it("say what is wrong with them", async () => {
    const { inputs } = arraysOf(bert);
    const named = inputs as Record<string, number[]>;
    const refused = (change: Partial<ExampleArrays>) =>
      expect(firstLoss(bert.model, arraysOf(bert, change))).rejects;
    await refused({ inputs: { ...named, input_id: [1] } }).toThrow(
      "examples.inputs has an array 'input_id', and bert-opset17.onnx has the inputs 'input_ids' int64, 'attention_mask' int64, " +
        "'token_type_ids' int64; give an array for each of them",
    );
    await refused({ inputs: {} }).toThrow("examples.inputs has no arrays");
    const { attention_mask, ...rest } = named;
    await refused({ inputs: rest }).toThrow(
      /examples feed 'input_ids', and nothing feeds 'attention_mask'\. Give/,
    );
    await refused({ count: undefined }).toThrow(
      /open in 'input_ids'; give it\s+\(examples\.shape\), or how many/,
    );
    await refused({ inputs: { ...named, attention_mask: [1, 1] } }).toThrow(/attention_mask.*expected/);
    await refused({ inputs: { ...named, attention_mask: [[1], [1]] as never } }).toThrow(
      "rows; flatten them",
    );
    await refused({
      inputs: { ...named, input_ids: named.input_ids?.map((id) => id + 2 ** 25 + 1) as number[] },
    }).toThrow(/'input_ids' takes whole numbers \(int64\).*up to 2\^24/);
    await refused({
      inputs: { ...named, attention_mask: attention_mask?.map((each) => each / 2) as number[] },
    }).toThrow("input 'attention_mask' takes whole numbers (int64), and the data have 0.5");
    const longer = { ...named, attention_mask: Array.from({ length: 32 }, () => 1) };
    await refused({ inputs: longer }).toThrow(
      "the inputs 'input_ids' and 'attention_mask' share the dimension 'sequence_length', and the data have 6 numbers along it " +
        "for the one and 8 for the other",
    );
    const { left, right } = arraysOf(pictures).inputs as Record<string, number[]>;
    await expect(
      firstLoss(
        pictures.model,
        arraysOf(pictures, { inputs: { left, right, mirrored: [1, 0, 2, 0] } as never }),
      ),
    ).rejects.toThrow("input 'mirrored' takes");
  });
});

it("examples keep their further inputs when they are split and described", async () => {
  const examples = examplesOf(beside.model, beside.golden);
  const { train: kept, test } = splitTest(examples, 0.25, "data");
  expect([kept.count, test.count]).toEqual([12, 4]);
  for (const part of [kept, test])
    for (const [row, own] of (part.origin ?? []).entries()) {
      const { category, picture } = part.furtherInputs ?? {};
      expect(category?.values[row]).toBe(beside.golden.inputs.category?.data[own % 4]);
      expect(picture?.values[row * 40]).toBeCloseTo(
        beside.golden.inputs.picture?.data[40 * (own % 4)] as number,
        6,
      );
    }
  const options = { model: beside.model, runtime, loss };
  const { config } = await previewTraining({ ...options, examples });
  expect(config.shapes).toBe("3, category 1, picture 2×5×4 → 1");
  const { furtherInputs, ...rest } = examples;
  const changed = { ...furtherInputs, category: { shape: [], values: new Float32Array(16) } };
  const other = await previewTraining({ ...options, examples: { ...rest, furtherInputs: changed } });
  expect(other.config.data).not.toBe(config.data);
});

it("one trained model is measured and saved with all its inputs", async () => {
  const examples = examplesOf(bert.model, bert.golden, { input: "input_ids" });
  let saved: Uint8Array | undefined;
  const fed: string[] = [];
  const options = {
    model: bert.model,
    examples,
    test: examples,
    runtime,
    loss,
    batch: 4,
    steps: 3,
    tangents: 4,
  };
  for await (const event of train({ ...options, quality: { every: 2 } })) {
    if (event.kind === "start") fed.push(event.input, ...event.furtherInputs);
    if (event.kind === "done") saved = event.model;
  }
  expect(fed).toEqual(["input_ids", "attention_mask", "token_type_ids"]);
  const model = decodeModel(saved as Uint8Array);
  expect(model.inputs).toEqual(bert.model.inputs);
  const measured = await evaluateModel({ model, parameters: {}, examples, loss, runtime, dimensions });
  expect(measured.counted).toBe(16);
});
