/** Models of several inputs: texts with their masks, pairs of pictures, tables beside pictures. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type NpzOptions, npzDataset, npzInputs } from "../src/data/files/npz.ts";
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
import { lastJson, run, temporaryFolder } from "./cli.ts";

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

describe("arrays of NumPy by the names of inputs", () => {
  const folder = join(import.meta.dirname, "cases", kind);
  const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) });
  const read = (name: string, { inputs }: typeof bert.model, options: Partial<NpzOptions> = {}) =>
    npzDataset(file(name), { inputs, targets: "classes", testFraction: 1, ...options });

  it("are examples with their labels, for PyTorch's loss", async () => {
    const texts = await read("texts.npz", bert.model);
    expect(Object.keys(texts.test.furtherInputs ?? {})).toEqual(["attention_mask", "token_type_ids"]);
    const shown = await read("pictures.npz", pictures.model, {
      arrays: ["left", "right", "mirrored", "stars"],
    });
    for (const [{ model, golden }, { test: examples }] of [
      [bert, texts],
      [pictures, shown],
    ] as const) {
      const measured = await evaluateModel({ model, parameters: {}, examples, loss, runtime });
      expect(measured.loss).toBeCloseTo(golden.loss, 5);
    }
  });

  it("are inputs alone, and lie in files of their own to test and to validate on", async () => {
    const { inputs } = bert.model;
    const asked = await npzInputs(file("texts.npz"), { inputs });
    expect([asked.count, asked.shape]).toEqual([4, [6]]);
    expect(Object.keys(asked.furtherInputs ?? {})).toEqual(["attention_mask", "token_type_ids"]);
    const held = file("held-texts.npz");
    const all = await read("texts.npz", bert.model, { test: held, validation: held });
    expect([all.train.count, all.test.count, all.validation?.count]).toEqual([4, 3, 3]);
    expect(all.validation?.furtherInputs?.token_type_ids?.values).toEqual(
      all.train.furtherInputs?.token_type_ids?.values.slice(0, 18),
    );
  });

  it("say what is wrong with them", async () => {
    await expect(read("unlike.npz", bert.model)).rejects.toThrow(
      "unlike.npz: 'input_ids' has 4 examples and 'attention_mask' has 2, expected as many",
    );
    await expect(read("pictures.npz", pictures.model)).rejects.toThrow(
      /has the arrays 'left' float32 \[4,1,6,6\], .*expected left, right, mirrored, labels; or x_train/s,
    );
    await expect(read("texts.npz", bert.model, { arrays: ["input_ids", "mask", "labels"] })).rejects.toThrow(
      "has the arrays",
    );
  });

  it("train, measure and predict from the command line", () => {
    const [out, data] = [temporaryFolder(), ["--data", "npz", "--data-file", join(folder, "texts.npz")]];
    const model = join(folder, "bert-opset17.onnx");
    const course = [
      "--batch",
      "2",
      "--steps",
      "2",
      "--gradient",
      "exact",
      "--test-fraction",
      "0.25",
      "--json",
    ];
    const held = ["--validation-file", join(folder, "held-texts.npz")];
    const trained = run(["train", "--model", model, ...data, ...held, ...course, "--out", join(out, "run")]);
    expect(trained.stderr).toContain("npz: 3 examples to train on, 3 to validate on, 1 to test on");
    const saved = join(out, "run", "model.onnx");
    const measured = run(["eval", saved, ...data, "--test-fraction", "0.25", "--json"]);
    const { testLoss } = lastJson(trained.stdout);
    expect(lastJson(measured.stdout)).toMatchObject({ testLoss, examples: 1 });
    const said = run(["predict", saved, "--data-file", join(folder, "texts.npz"), "--json"]);
    expect(said.stdout.trim().split("\n")).toHaveLength(4);
    // Named with the labels, the inputs are those of the run.
    const named = ["--data", "npz", "--data-file", join(folder, "pictures.npz"), "--arrays"];
    const mixed = join(out, "mixed");
    const pictured = run([
      ...["train", "--model", join(folder, "pictures-dynamo18.onnx"), ...named, "left,right,mirrored,stars"],
      ...["--batch", "2", "--steps", "1", "--gradient", "exact", "--out", mixed],
    ]);
    expect(pictured.stderr).toContain("1 to test on");
    const [ofRun, ofFile] = [
      run(["predict", mixed, "--json"]),
      run(["predict", join(mixed, "model.onnx"), ...named, "left,right,mirrored", "--json"]),
    ];
    expect(ofRun.stdout.trim().split("\n")).toHaveLength(4);
    expect(ofRun.stdout).toBe(ofFile.stdout);
    const both = run(["train", "--model", model, ...data, ...held, "--validation", "1"]);
    expect(both.stderr).toContain("--validation-file gives such of its own; leave one of them out");
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
