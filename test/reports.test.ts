/** Pages of runs, of stores whose content is known. */
import { describe, expect, it } from "vitest";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { compareRuns } from "../src/reports/comparison.ts";
import { judgeModel } from "../src/reports/judgement.ts";
import type { RunNotes } from "../src/reports/run-record.ts";
import { isReport, runReport, writeRunReport } from "../src/reports/run-report.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";

const runtime = nodeRuntime({ threads: 1 });

/** A model whose output is its input. */
function echo(shape: readonly number[]) {
  const g = new GraphBuilder("echo");
  const x = g.input("x", "float32", [4, ...shape]);
  return decodeModel(encodeModelFile(g.build({ y: g.mul(x, 1) })));
}

const lines = [
  { kind: "train", step: 50, epoch: 1, loss: 1.5, learningRate: 0.1, seconds: 1 },
  { kind: "train", step: 100, epoch: 1, loss: 0.5, learningRate: 0.05, seconds: 2 },
  {
    kind: "epoch",
    step: 100,
    epoch: 1,
    trainLoss: 1,
    validationLoss: 0.7,
    validationAccuracy: 0.8,
    seconds: 2,
  },
  { kind: "quality", step: 100, cosine: 0.9, normRatio: 1 },
];
const made = {
  ...{ format: 2, model: "a", data: "b", runtime: "c" },
  perturb: { name: "weights" },
  steps: 100,
};
const done = { kind: "result", step: 100, testAccuracy: 0.75, testLoss: 0.61, parameters: 12345 };

async function storeWith(
  all: readonly object[],
  notes: Partial<RunNotes> = {},
  config: Readonly<Record<string, unknown>> = {},
) {
  const store = memoryStore();
  const write = (name: string, text: string) => store.write(name, new TextEncoder().encode(text));
  await write("config.json", JSON.stringify({ ...made, ...config }));
  await write("metrics.jsonl", all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  if (Object.keys(notes).length > 0) await write("report.json", JSON.stringify({ format: 1, ...notes }));
  return store;
}

describe("a run's page", () => {
  it("says what came out, draws what was measured, and loads nothing", async () => {
    const evil = "<script>alert(1)</script>";
    const after = {
      ...{ examples: 4, loss: 0.6, accuracy: 0.75 },
      classification: {
        ...{ accuracy: 0.75, balancedAccuracy: 0.75, macroF1: 0.74, confusion: [2, 1, 0, 1] },
        classes: [0, 1].map(() => ({ precision: 0.5, recall: 1, f1: 0.6, support: 2 })),
      },
      mistakes: [
        { example: 17, truth: 0, taken: 1, probability: 0.9, picture: 'x" onerror="alert(1)' },
        { example: 18, truth: 1, taken: 0, fields: [["size", evil]] as const },
      ],
    };
    const before = { ...after, accuracy: 0.25 };
    const store = await storeWith([...lines, done], {
      after,
      before,
      classNames: [evil, "dog"],
      command: evil,
    });
    const html = await runReport(store);
    for (const text of ["75.00 %", "0.61", "12,345", "example 17", "Before and after", "25.00 %", "weights"])
      expect(html).toContain(text);
    for (const title of ["Loss", "Validation metrics", "Learning rate", "Gradient quality"])
      expect(html).toContain(`<h3>${title}</h3>`);
    // Of classes there are none.
    expect(html).not.toContain("Validation errors");
    expect(html).not.toMatch(/<script|onerror="|(?:src|href)="(?!data:)/);
    // Namespaces of SVG are names, which nobody fetches.
    expect(html.replaceAll(/xmlns(?::\w+)?="[^"]*"/g, "")).not.toContain("http");
  });

  it("is made of what is there of a run that is not finished, and replaces nothing but itself", async () => {
    const store = await storeWith(lines.slice(0, 1));
    expect(await writeRunReport(store)).toBe(true);
    const page = await store.read("report.html");
    expect(new TextDecoder().decode(page)).toContain("Not finished: 50 of 100 steps so far.");
    expect(page && isReport(page)).toBe(true);
    expect(await writeRunReport(store)).toBe(true);
    await store.write("report.html", new TextEncoder().encode("<p>mine</p>"));
    expect(await writeRunReport(store)).toBe(false);
    expect(new TextDecoder().decode(await store.read("report.html"))).toBe("<p>mine</p>");
    await expect(runReport(memoryStore())).rejects.toThrow("expected the folder of a training run");
  });

  it("compares runs by results and by the settings that differ", async () => {
    const one = await storeWith([...lines, done], {}, { learningRate: 0.1, seed: 7 });
    const other = await storeWith(lines, {}, { learningRate: 0.3, seed: 7 });
    const html = await compareRuns([one, other]);
    expect(html).toMatch(/<td>learningRate<\/td><td>0.1<\/td><td>0.3<\/td>/);
    expect(html).not.toContain("<td>seed</td>");
    expect(html).toContain("<td>finished</td>");
    expect(html).toContain("<td>not finished</td>");
    expect(html).toContain("<h3>Validation loss</h3>");
  });
});

describe("a judgement", () => {
  it("has the worst mistakes first, with their numbers in the data and their pictures", async () => {
    // Logits of 3 classes are pictures of 1×3 pixels; of five examples three are wrong.
    const logits = [
      [9, 0, 0],
      [0, 3, 0],
      [0, 0, 9],
      [5, 0, 0],
      [0, 1, 0],
    ];
    const examples = {
      ...{ count: 5, shape: [1, 1, 3], origin: Uint32Array.of(10, 11, 12, 13, 14) },
      inputs: Uint8Array.from(logits.flat(), (value) => value * 28),
      labels: Int32Array.of(0, 0, 1, 1, 1),
    };
    const g = new GraphBuilder("flat");
    const x = g.input("x", "float32", [4, 1, 1, 3]);
    const model = decodeModel(encodeModelFile(g.build({ y: g.mul(g.flatten(x, { axis: 1 }), 255 / 28) })));
    const { accuracy, mistakes } = await judgeModel({ model, examples, loss: crossEntropy(), runtime });
    expect(accuracy).toBeCloseTo(2 / 5, 12);
    expect(mistakes.map(({ example, truth, taken }) => [example, truth, taken])).toEqual([
      [12, 1, 2],
      [13, 1, 0],
      [11, 0, 1],
    ]);
    expect(mistakes[1]?.probability).toBeCloseTo(1 / (1 + 2 * Math.exp(-5)), 5);
    // libvips reads the picture back.
    const png = Uint8Array.from(atob(mistakes[0]?.picture?.split(",")[1] ?? ""), (c) => c.charCodeAt(0));
    const picture = await decodePicture(png, { checkSize: () => {} });
    expect([picture.width, picture.height, [...picture.data]]).toEqual([3, 1, [0, 0, 252]]);
  });

  it("has the values that are farthest off, with their rows", async () => {
    const columns = [
      { name: "size", kind: "number" },
      { name: "color", kind: "category", categories: ["blue", "red"] },
    ] as const;
    const inputs = Float32Array.of(1, 0, 1, 2, 1, 0, 3, 0, 1);
    const g = new GraphBuilder("first");
    const x = g.input("x", "float32", [4, 3]);
    const model = decodeModel(encodeModelFile(g.build({ y: g.reduceSum(x, [1], { keepdims: 1 }) })));
    const examples = { count: 3, shape: [3], inputs, labels: Float32Array.of(2, 4, 9) };
    const { mistakes, regression } = await judgeModel({
      ...{ model, examples, loss: meanSquaredError(), runtime, columns },
    });
    expect(mistakes[0]).toEqual({
      ...{ example: 2, truth: 9, taken: 4 },
      fields: [
        ["size", "3"],
        ["color", "red"],
      ],
    });
    expect(regression?.meanAbsoluteError).toBeCloseTo((0 + 1 + 5) / 3, 6);
    // Of texts, what people read, by their numbers in the data.
    const texts = Array.from({ length: 8 }, (_, index) => `${index} ${"😀".repeat(300)}`);
    const origin = Uint32Array.of(5, 6, 7);
    const read = await judgeModel({
      ...{ model, examples: { ...examples, origin }, loss: meanSquaredError(), runtime, texts },
    });
    expect(read.mistakes[0]).toEqual({ example: 7, truth: 9, taken: 4, text: `7 ${"😀".repeat(238)} …` });
  });

  it("needs no answer for every position", async () => {
    const { mistakes } = await judgeModel({
      ...{ model: echo([2, 3]), loss: crossEntropy(), runtime },
      examples: {
        ...{ count: 2, shape: [2, 3], targetShape: [3] },
        inputs: Float32Array.from({ length: 12 }, (_, index) => index % 5),
        labels: Int32Array.of(0, 1, 0, 1, 1, 0),
      },
    });
    expect(mistakes).toEqual([]);
  });
});
