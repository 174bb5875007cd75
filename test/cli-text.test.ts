/** Texts on the command line: a BERT of transformers, a tokenizer of Hugging Face's, tables of pandas (`test/cases/texts`). */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { labelledTexts } from "../src/data/text/text-table.ts";
import { lastJson, run, runUntil, temporaryFolder } from "./cli.ts";
import { programResult } from "./report-program.ts";
import { hub } from "./text-hub.ts";

const cases = join(import.meta.dirname, "cases", "texts");
const at = (name: string) => join(cases, name);
const words = ["--data", "text", "--data-file", at("reviews.csv"), "--text", "review", "--label", "stars"];

it("a new head learns texts, is measured on others, predicts them, and can be repeated by its program", () => {
  const { folder, model } = hub();
  const out = join(folder, "run");
  const head = [
    "--head",
    "--beside-head",
    "all",
    "--optimizer",
    "adam",
    "--lr",
    "0.01",
    "--epochs",
    "20",
    "--batch",
    "16",
    "--threads",
    "1",
  ];
  const trained = run(["train", "--model", model, ...words, ...head, "--out", out, "--json"]);
  expect(trained.stderr).toContain("text: 48 examples to train on, 12 to test on");
  expect(trained.stderr).toContain("2 classes: down, up");
  const { testAccuracy, testLoss } = lastJson(trained.stdout);
  expect(testAccuracy).toBeGreaterThan(0.9);

  const saved = join(out, "model.onnx");
  const tokenizer = ["--tokenizer", folder];
  const read = ["--data", "text", "--data-file", at("reviews.csv"), "--label", "stars"];
  // The columns and the length are the model's own.
  const evaluated = run(["eval", saved, ...read, ...tokenizer, "--json"]);
  expect(lastJson(evaluated.stdout)).toMatchObject({ testAccuracy, examples: 12 });
  expect(lastJson(evaluated.stdout).testLoss).toBeCloseTo(testLoss as number, 5);

  const predicted = run([
    "predict",
    out,
    "--data-file",
    at("new.jsonl"),
    ...tokenizer,
    "--json",
    "--top",
    "1",
  ]);
  const rows = predicted.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const stars = labelledTexts(
    { name: "reviews.csv", bytes: new Uint8Array(readFileSync(at("reviews.csv"))) },
    { text: "review", label: "stars" },
  ).slice(0, 6);
  expect(rows.map(({ review, prediction }) => [review, prediction])).toEqual(
    stars.map(({ text, label }) => [text, label]),
  );

  expect(programResult(out, join(folder, "again"))).toMatchObject({ testAccuracy, testLoss });
});

it("a table that is read row by row, killed and resumed, leaves the bytes of one that was not, and can be repeated", async () => {
  const { folder, model } = hub();
  const flags = ["--stream", "20", "--batch", "8", "--steps", "40", "--max-length", "12", "--threads", "1"];
  const train = [
    "train",
    "--model",
    model,
    ...words,
    "--head",
    ...flags,
    "--checkpoint-seconds",
    "0.01",
    "--out",
  ];
  const calm = run([...train, join(folder, "calm"), "--json"]);
  expect(calm.stderr).toContain("44 examples to train on, read row by row, 4 to validate on, 12 to test on");
  for (const milliseconds of [0, 30])
    await runUntil([...train, join(folder, "run"), "--resume"], "SIGKILL", {
      milliseconds,
      afterStart: true,
    });
  const resumed = run([...train, join(folder, "run"), "--resume", "--json"]);
  expect(resumed.stderr).not.toContain("warning");
  const bytes = (name: string) => readFileSync(join(folder, name, "model.onnx"));
  expect(bytes("run").equals(bytes("calm"))).toBe(true);
  const { testAccuracy, testLoss } = lastJson(calm.stdout);
  expect(programResult(join(folder, "calm"), join(folder, "again"))).toMatchObject({
    testAccuracy,
    testLoss,
  });
});

it.each<[string, string[], string]>([
  [
    "a column that is not there",
    [...words.slice(0, 4), "--text", "reviews", "--label", "stars"],
    "no column 'reviews', expected one of id, review, stars; correct --text",
  ],
  ["no label", words.slice(0, 6), "--data text needs --label COLUMN"],
  [
    "a tokenizer that is not there",
    [...words, "--tokenizer", "nowhere.json"],
    "nowhere.json: no such file; correct --tokenizer",
  ],
  [
    "a tokenizer that is a table",
    [...words, "--tokenizer", at("encodings.golden.json")],
    "is no tokenizer that can be used",
  ],
  ["flags of tables", [...words, "--decimal", "comma"], "--decimal goes with --data csv"],
])("%s is named", (_, flags, message) => {
  const { folder, model } = hub();
  const { status, stderr } = run([
    "train",
    "--model",
    model,
    "--head",
    ...flags,
    "--out",
    join(folder, "run"),
  ]);
  expect(stderr).toContain(message);
  expect(status).toBe(1);
});

it("texts without any, another model's tokenizer and a missing column are named", () => {
  const { folder, model } = hub();
  const table = join(folder, "holes.csv");
  writeFileSync(table, `${readFileSync(at("reviews.csv"), "utf8")}160,,up\n`);
  const flags = ["--model", model, "--head", "--data", "text", "--data-file", table, "--text", "review"];
  const lost = run(["train", ...flags, "--out", join(folder, "run")]);
  expect(lost.stderr).toContain("--data text needs --label COLUMN; say which column is learned");
  const other = ["--label", "stars", "--tokenizer", at("unigram.golden.json")];
  const { stderr } = run(["train", ...flags, ...other, "--steps", "1", "--out", join(folder, "run")]);
  expect(stderr).toMatch(/unigram\.golden\.json knows 73 tokens, and the model 150: is it this model's own/);
  expect(stderr).toContain("1 of 61 texts are empty");
});

it("a model that builds itself, or has no tokenizer beside, is told what is missing", () => {
  const folder = temporaryFolder();
  const { stderr } = run(["train", ...words, "--out", join(folder, "run")]);
  expect(stderr).toContain("--data text goes with a model file that reads tokens");
  const alone = run([
    "train",
    "--model",
    at("encoder.onnx"),
    "--head",
    ...words,
    "--out",
    join(folder, "run"),
  ]);
  expect(alone.stderr).toContain("say where it is (--tokenizer tokenizer.json)");
});

it("a trained folder runs in transformers.js, and gives the probabilities of predict", async () => {
  const { folder, model } = hub();
  const out = join(folder, "run");
  const config = { model_type: "bert", architectures: ["BertModel"], vocab_size: 60 };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const course = ["--adapter", "lora", "--rank", "2", "--steps", "20", "--batch", "16", "--max-length", "12"];
  const trained = run(["train", "--model", model, ...words, "--head", ...course, "--out", out]);
  expect(trained.stderr).toContain(`for transformers.js: ${join(out, "transformers")}`);
  const predicted = run(["predict", out, "--data-file", at("new.jsonl"), "--json"]);
  const rows = predicted.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { review: string; probabilities: Record<string, number> });
  const { env, pipeline } = await import("@huggingface/transformers");
  env.allowRemoteModels = false;
  env.localModelPath = out;
  const classify = await pipeline("text-classification", "transformers");
  for (const { review, probabilities } of rows) {
    const [found] = [await classify(review, { top_k: null })] as unknown as [
      readonly { label: string; score: number }[],
    ];
    expect(found.map(({ label }) => label).sort()).toEqual(Object.keys(probabilities).sort());
    for (const { label, score } of found) expect(score).toBeCloseTo(probabilities[label] as number, 4);
  }
  await classify.dispose();
  // Only what this run wrote is replaced.
  const other = join(folder, "other");
  mkdirSync(join(other, "transformers"), { recursive: true });
  writeFileSync(join(other, "transformers", "config.json"), "{}");
  const refused = run(["train", "--model", model, ...words, "--head", ...course, "--out", other]);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("transformers/config.json");
  expect(readFileSync(join(other, "transformers", "config.json"), "utf8")).toBe("{}");
});
