// Fine-tuning a sentence encoder, or a reader of pictures, in four precisions on texts or pictures, through the command line, as its users do:
//
//     python bench/minilm-models.py MODEL_FOLDER MODELS && python bench/minilm-texts.py TEXTS
//     python bench/vision-models.py FILE.onnx MNIST OUT    (--models OUT/models --pictures OUT)
//     node bench/minilm.mjs --models MODELS --texts TEXTS [--only REGEX] [--steps 120] [--validation 120] [--head-alone 0.5] [--out FILE.json]
//
// A new head alone, or with adapters of attention in the second half of the steps: by exact gradients, by the residual stream
// and by forward gradients of the weights. Each searches its rate in float32, by the accuracy on texts set aside; the
// other precisions take it over. Peak memory and processor time are the process's own (Linux, GNU time). Rows that --out has are kept.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    models: { type: "string" },
    texts: { type: "string" },
    pictures: { type: "string" },
    steps: { type: "string", default: "120" },
    validation: { type: "string", default: "120" },
    "head-alone": { type: "string", default: "0.5" },
    only: { type: "string", default: "" },
    out: { type: "string" },
  },
});
if (!flags.models || (!flags.texts && !flags.pictures))
  throw new Error(
    "minilm needs the folders of models and of texts or pictures; pass --models FOLDER --texts FOLDER.",
  );
const data = flags.texts
  ? [
      ...["--data", "text", "--text", "text", "--label", "package", "--max-length", "32"],
      ...["--data-file", join(flags.texts, "train.csv"), "--test-file", join(flags.texts, "test.csv")],
      ...["--validation", flags.validation],
    ]
  : [
      ...["--data", "images", "--data-dir", join(flags.pictures, "pictures"), "--image-size", "48"],
      ...["--validation-dir", join(flags.pictures, "validation")],
    ];

const files = {
  float32: "model.onnx",
  float16: "model_fp16.onnx",
  int8: "model_int8.onnx",
  "4 bits": "model_q4.onnx",
};
const adapters = ["--adapter", "lora", "--rank", "4", "--head-alone", flags["head-alone"]];
const methods = {
  head: { flags: ["--gradient", "exact"], rates: [0.01, 0.03] },
  "adapters, exact": { flags: [...adapters, "--gradient", "exact"], rates: [0.003, 0.01] },
  "adapters, residual": {
    flags: [...adapters, "--perturb", "blocks", "--guess", "residual"],
    rates: [0.003, 0.01],
  },
  "adapters, feedback": { flags: [...adapters, "--guess", "feedback"], rates: [0.003, 0.01] },
  "adapters, forward": {
    flags: [...adapters, "--perturb", "weights", "--sampler", "low-rank", "--aggregate", "projection"],
    rates: [0.003, 0.01],
  },
};

function run(file, { flags: own }, rate) {
  const folder = mkdtempSync(join(tmpdir(), "minilm-"));
  const out = join(folder, "run");
  const command = [
    ...[
      "-f",
      "peak %M processor %U %S",
      process.execPath,
      join(import.meta.dirname, "../dist/cli.js"),
      "train",
    ],
    ...["--model", join(flags.models, file), ...data, "--head", "--optimizer", "adam", "--batch", "16"],
    ...["--steps", flags.steps, "--lr", String(rate), "--threads", "1", "--json", "--out", out, ...own],
  ];
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync("/usr/bin/time", command, { encoding: "utf8" });
  const minutes = (performance.now() - started) / 60_000;
  const [, peak, user, system] = /peak (\d+) processor (\S+) (\S+)/.exec(stderr) ?? [];
  // Of some files a gradient is refused: what the message says is the row.
  const [, refusal] = /^forwardgrad: (.*)$/m.exec(stderr) ?? [];
  if (status !== 0 && refusal) return { refusal };
  if (status !== 0) throw new Error(`${command.join(" ")}\n${stderr}`);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const row = {
    validation: lines.findLast(({ validationAccuracy }) => validationAccuracy !== undefined)
      ?.validationAccuracy,
    test: lines.findLast(({ testAccuracy }) => testAccuracy !== undefined)?.testAccuracy,
    minutes,
    // What other programs take does not count here.
    processorMinutes: (Number(user) + Number(system)) / 60,
    peakMebibytes: Number(peak) / 1024,
    savedMegabytes: statSync(join(out, "model.onnx")).size / 1e6,
  };
  rmSync(folder, { recursive: true });
  return row;
}

const rows = flags.out && existsSync(flags.out) ? JSON.parse(readFileSync(flags.out, "utf8")) : [];
const bestRate = (method) =>
  rows
    .filter((row) => row.method === method && row.precision === "float32")
    .reduce((best, row) => (row.validation > best.validation ? row : best)).rate;
for (const [precision, file] of Object.entries(files))
  for (const [method, settings] of Object.entries(methods)) {
    if (!new RegExp(flags.only).test(`${precision} ${method}`)) continue;
    const isThere = (rate) =>
      rows.some((row) => row.precision === precision && row.method === method && row.rate === rate);
    for (const rate of precision === "float32" ? settings.rates : [bestRate(method)]) {
      if (isThere(rate)) continue;
      rows.push({ precision, method, rate, ...run(file, settings, rate) });
      console.error(JSON.stringify(rows.at(-1)));
      if (flags.out) writeFileSync(flags.out, `${JSON.stringify(rows, undefined, 1)}\n`);
    }
  }
console.table(rows);
