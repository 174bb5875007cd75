/** Contrast of pairs on the command line: a BERT of transformers, a tokenizer of Hugging Face's, a table of pandas (`test/cases/texts`). */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lastJson, run } from "./cli.ts";
import { programResult } from "./report-program.ts";
import { hub } from "./text-hub.ts";

const cases = join(import.meta.dirname, "cases", "texts");
const at = (name: string) => join(cases, name);
const pairs = [
  "--data",
  "text",
  "--data-file",
  at("pairs.csv"),
  "--text",
  "question",
  "--text-pair",
  "answer",
];

interface Notes {
  readonly code: string;
  readonly before: { readonly retrieval: { readonly accuracy: number } };
  readonly after: {
    readonly mistakes: readonly {
      readonly text: string;
      readonly truth: number;
      readonly taken: number;
      readonly pair: { readonly own: string; readonly found: string; readonly rank: number };
    }[];
  };
}

it("pairs are learned to be found, measured, reported, embedded and repeated", async () => {
  const { folder, model } = hub();
  const out = join(folder, "run");
  const config = { model_type: "bert", architectures: ["BertForMaskedLM"], vocab_size: 150 };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const how = ["--head", "8", "--beside-head", "all", "--gradient", "exact", "--optimizer", "adam"];
  const course = [
    "--lr",
    "0.03",
    "--temperature",
    "0.2",
    "--epochs",
    "40",
    "--batch",
    "24",
    "--threads",
    "1",
  ];
  const trained = run([
    ...["train", "--model", model, ...pairs, "--loss", "contrast", ...how, ...course],
    ...["--out", out, "--json"],
  ]);
  expect(trained.stderr).toContain("pairs: 96 examples to train on, 24 to test on");
  expect(trained.stderr).toContain("retrieval accuracy");
  const { testRetrievalAccuracy, testLoss } = lastJson(trained.stdout);
  const notes = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as Notes;
  expect(testRetrievalAccuracy).toBeGreaterThan(notes.before.retrieval.accuracy + 0.2);

  const report = readFileSync(join(out, "report.html"), "utf8");
  expect(report).toContain("mean reciprocal rank");
  const table = readFileSync(at("pairs.csv"), "utf8").trim().split("\n");
  for (const { text, truth, taken, pair } of notes.after.mistakes) {
    expect(table).toContain(`${text},${pair.own}`);
    expect(table).not.toContain(`${text},${pair.found}`);
    expect(taken).toBeGreaterThan(truth);
    expect(pair.rank).toBeGreaterThan(1);
  }

  // Kind of data, columns, length and loss are the run's own.
  const evaluated = run(["eval", out, "--data-file", at("pairs.csv"), "--json"]);
  expect(lastJson(evaluated.stdout)).toMatchObject({ retrieval: { accuracy: testRetrievalAccuracy } });

  const asked = join(folder, "asked.csv");
  writeFileSync(asked, table.slice(0, 3).join("\n"));
  const rows = run(["predict", out, "--data-file", asked, "--json"])
    .stdout.trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { question: string; prediction: number[] });
  const { env, pipeline } = await import("@huggingface/transformers");
  env.allowRemoteModels = false;
  env.localModelPath = out;
  const embed = await pipeline("feature-extraction", "transformers");
  for (const { question, prediction } of rows) {
    const found = await embed(question);
    expect(found.dims).toEqual([1, 8]);
    for (const [place, value] of prediction.entries()) expect(found.data[place]).toBeCloseTo(value, 4);
  }
  await embed.dispose();

  expect(programResult(out, join(folder, "again"))).toMatchObject({ testLoss });
});

it.each<[string, string[], string]>([
  ["labels", ["--head", "8", "--label", "answer"], "leave --label out"],
  ["a stream", ["--head", "8", "--stream", "8"], "would take pairs apart"],
  ["a head of no size", ["--head"], "give it a number, such as 64"],
  ["an output of many positions", [], "or a new head that makes one of them (--head)"],
  [
    "tangents of examples",
    ["--head", "8", "--adapter", "lora"],
    "Perturb weights instead (--perturb weights), or take the exact gradient (--gradient exact)",
  ],
  [
    "the last layer exactly",
    ["--head", "8", "--adapter", "lora", "--perturb", "weights", "--exact-last-layer"],
    "--exact-last-layer reads the gradient of each example's own loss",
  ],
])("%s are named with contrast", (_, flags, message) => {
  const { folder, model } = hub();
  const { status, stderr } = run([
    ...["train", "--model", model, ...pairs, "--loss", "contrast", ...flags],
    ...["--out", join(folder, "run")],
  ]);
  expect(stderr).toContain(message);
  expect(status).toBe(1);
});

it("needs pairs of texts", () => {
  const { folder, model } = hub();
  const out = ["--out", join(folder, "run"), "--loss", "contrast"];
  expect(run(["train", ...out]).stderr).toContain("--loss contrast goes with pairs of texts");
  const one = run(["train", "--model", model, ...pairs.slice(0, 6), "--head", "8", ...out]);
  expect(one.stderr).toContain("--loss contrast needs --text-pair COLUMN");
  const same = [...pairs.slice(0, 6), "--text-pair", "question"];
  const itself = run(["train", "--model", model, ...same, "--head", "8", ...out]);
  expect(itself.stderr).toContain("both name the column 'question'");
  const empty = join(folder, "empty.csv");
  writeFileSync(empty, "question,answer\ngood film,bad\nhello,\n");
  const data = ["--data", "text", "--data-file", empty, "--text", "question", "--text-pair", "answer"];
  expect(run(["train", "--model", model, ...data, "--head", "8", ...out]).stderr).toContain(
    "expected a text of a pair; fill it in, or leave the row out",
  );
});
