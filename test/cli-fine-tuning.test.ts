/** What fine-tuning on the command line offers beside models and data: scales of columns, rare classes, minutes, runs as models, warnings. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tableDataset } from "../src/data/files/table.ts";
import { withStandardizedInput } from "../src/objective/heads/standardized-input.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { train } from "../src/train/train.ts";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const scales = (name: string) => join(import.meta.dirname, "cases", "scales", name);
const texts = (name: string) => join(import.meta.dirname, "cases", "texts", name);
const wine = ["--model", scales("mlp.onnx"), "--data", "csv", "--data-file", scales("wine.csv")];
const course = ["--target", "target", "--batch", "16", "--threads", "1", "--json"];

it("columns on very different scales are named, and brought to one inside of the model", async () => {
  const folder = temporaryFolder();
  const raw = run(["train", ...wine, ...course, "--steps", "2", "--out", join(folder, "raw")]);
  expect(raw.stderr).toMatch(
    /warning: columns are on very different scales: 'proline' varies by 311, .*--standardize/s,
  );
  const out = join(folder, "run");
  const trained = run(["train", ...wine, ...course, "--epochs", "30", "--standardize", "--out", out]);
  expect(trained.stderr).not.toContain("warning");
  expect(trained.stderr).toContain("trained: 275 numbers of 301");
  const { testAccuracy } = lastJson(trained.stdout);
  expect(testAccuracy).toBeGreaterThan(0.9);
  // A run stands for its model, whose numbers say how columns are read.
  const data = ["--data", "csv", "--data-file", scales("wine.csv"), "--target", "target", "--json"];
  const asked = [out, join(out, "model.onnx")].map((given) => lastJson(run(["eval", given, ...data]).stdout));
  expect(asked[0]).toEqual(asked[1]);
  expect(lastJson(run(["eval", out, ...data.slice(2)]).stdout)).toEqual(asked[0]);
  // Its run knows the table and the column itself.
  expect(lastJson(run(["eval", out, "--json"]).stdout)).toEqual(asked[0]);
  expect(asked[0]).toMatchObject({ testAccuracy, examples: 36 });

  const file = { name: "wine.csv", bytes: new Uint8Array(readFileSync(scales("wine.csv"))) };
  const dataset = tableDataset(file, { target: "target", targets: "classes" });
  const runtime = nodeRuntime({ threads: 1 });
  const model = withStandardizedInput(loadModel(scales("mlp.onnx")), dataset.normalization);
  // Its statistics stay as they are, also where the file is trained once more.
  const saved = decodeModel(encodeModel(model, new Map()));
  const again = { examples: dataset.train, runtime, steps: 3, batch: 16 };
  for await (const event of train({ ...again, model: encodeModel(model, new Map()) })) {
    if (event.kind === "start") expect(event.trained).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
    if (event.kind === "done")
      for (const name of ["x/running_mean", "x/running_var"])
        expect(decodeModel(event.model).initializers.get(name)).toEqual(saved.initializers.get(name));
  }
  const { mean, standardDeviation } = dataset.normalization;
  const plain = decodeModel(new Uint8Array(readFileSync(scales("mlp.onnx"))));
  const session = await runtime.createSession(encodeModel(model, new Map()));
  const own = await runtime.createSession(encodeModel(plain, new Map()));
  const row = dataset.train.inputs.slice(0, 13);
  const scaled = row.map(
    (value, at) => (value - ([mean].flat()[at] ?? 0)) / ([standardDeviation].flat()[at] ?? 1),
  );
  const said = async (on: typeof session, data: typeof row) =>
    Array.from(
      (await on.run({ x: { dtype: "float32", shape: [1, 13], data: Float32Array.from(data) } })).y?.data ??
        [],
      Number,
    );
  const [found, known] = [await said(session, row), await said(own, scaled)];
  for (const [at, value] of found.entries()) expect(value).toBeCloseTo(known[at] as number, 4);
  await session.release();
  await own.release();
  expect(() => withStandardizedInput(saved, dataset.normalization)).toThrow("is standardized already");
  expect(() => withStandardizedInput(plain, { mean: [1, 2], standardDeviation: [1, 1] })).toThrow(
    "[examples, 2], one number for each column",
  );
});

it("columns are brought to one scale inside of a file of 16 bits that takes 32, and not of one that takes 16", () => {
  const folder = temporaryFolder();
  const of = (name: string, out: string) =>
    run([
      ...["train", "--model", scales(name), ...wine.slice(2), ...course],
      ...["--epochs", "30", "--standardize", "--out", join(folder, out)],
    ]);
  const { testAccuracy } = lastJson(of("mlp_fp16.onnx", "run").stdout);
  expect(testAccuracy).toBeGreaterThan(0.9);
  const file = join(folder, "run", "model.onnx");
  const { initializers } = decodeModel(new Uint8Array(readFileSync(file)));
  expect([...initializers].map(([name, { dtype }]) => [name, dtype])).toEqual([
    ...["0.weight", "0.bias", "2.weight", "2.bias"].map((name) => [name, "float16"]),
    ...["x/running_mean", "x/running_var"].map((name) => [name, "float32"]),
  ]);
  const asked = run(["eval", file, ...wine.slice(2), "--target", "target", "--json"]);
  expect(lastJson(asked.stdout)).toMatchObject({ testAccuracy });
  const refused = of("mlp_fp16_io.onnx", "refused");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("the input 'x' is float16");
});

it("--standardize is for tables and model files", () => {
  expect(run(["train", "--standardize"]).stderr).toContain("models that are built here do so by themselves");
});

/** A folder as hubs have it: the model in onnx/, its tokenizer above. */
function hub(): { readonly folder: string; readonly reviews: readonly string[] } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "onnx"));
  copyFileSync(texts("encoder.onnx"), join(folder, "onnx", "model.onnx"));
  copyFileSync(texts("wordpiece.golden.json"), join(folder, "tokenizer.json"));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ pad_token: "[PAD]" }));
  const data = [
    "--data",
    "text",
    "--data-file",
    texts("reviews.csv"),
    "--text",
    "review",
    "--label",
    "stars",
  ];
  return {
    folder,
    reviews: ["--model", join(folder, "onnx", "model.onnx"), ...data, "--head", "--threads", "1"],
  };
}

it("rare classes weigh more, or come more often, by their names", () => {
  const { folder, reviews } = hub();
  const out = join(folder, "run");
  const weighed = ["--class-weights", "up=3", "--sampling", "balanced", "--steps", "4", "--batch", "8"];
  const trained = run(["train", ...reviews, ...weighed, "--out", out]);
  expect(trained.status).toBe(0);
  const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as Record<string, unknown>;
  expect(JSON.stringify(config.loss)).toContain('"classWeights":[1,3]');
  expect(JSON.stringify(config)).toContain('"sampling":"balanced"');
  const resumed = run(["train", ...reviews, ...weighed.slice(2), "--out", out, "--resume"]);
  expect([resumed.status, resumed.stderr]).toEqual([1, expect.stringContaining("--class-weights")]);
  for (const flag of ["--class-weights", "--sampling"])
    expect(run(["train", ...reviews, flag, "sideways=2", "--out", join(folder, "other")]).stderr).toContain(
      "sideways",
    );
});

it("a run ends when its minutes are over, with a model, and goes on", () => {
  const { folder, reviews } = hub();
  const out = join(folder, "run");
  const timed = ["--steps", "100000", "--batch", "8", "--max-minutes", "0.01", "--out", out, "--json"];
  const trained = run(["train", ...reviews, ...timed]);
  const { steps, outOfTime } = lastJson(trained.stdout);
  expect([trained.status, outOfTime]).toEqual([0, true]);
  expect(existsSync(join(out, "model.onnx"))).toBe(true);
  expect(readFileSync(join(out, "report.html"), "utf8")).toContain("its minutes were over");
  const resumed = lastJson(run(["train", ...reviews, ...timed, "--resume"]).stdout);
  expect(Number(resumed.steps)).toBeGreaterThan(Number(steps));
});

it("a stream of a table of numbers is refused by name", () => {
  expect(run(["train", ...wine, "--target", "target", "--stream", "20"]).stderr).toContain(
    "--stream goes with --data text, received --data csv",
  );
});
