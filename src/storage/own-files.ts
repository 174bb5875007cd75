/** Checkpoints are written to these in turn, so that the one before stays as it is. */
export const checkpointFiles = ["checkpoint/state.safetensors", "checkpoint/state-2.safetensors"] as const;

/** How transformers.js calls the numbers of a model file, and what that adds to the file's name. */
export const transformersModels = {
  fp32: "",
  fp16: "_fp16",
  int8: "_int8",
  uint8: "_uint8",
  q8: "_quantized",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
} as const;

/** What a trained model of texts is for transformers.js; or its tokenizer alone. */
const textFiles = [
  ...["tokenizer.json", "tokenizer_config.json"],
  ...["config.json", "tokenizer.json", "tokenizer_config.json"].map((name) => `transformers/${name}`),
  ...Object.values(transformersModels).map((suffix) => `transformers/onnx/model${suffix}.onnx`),
];

const trainFiles = [
  ...["config.json", "metrics.jsonl", "model.onnx", "report.json", "report.html"],
  ...textFiles,
  ...checkpointFiles,
];

/** What each kind of run writes, by which its folder is known; `charts` and `work` are folders. config.json comes first. */
export const ownFiles = {
  train: trainFiles,
  search: [
    ...["config.json", "trials.json", "trials.csv", "trials.svg", "trial/trial.txt"],
    ...trainFiles.map((name) => `trial/${name}`),
  ],
  study: [
    ...["config.json", "state.json", "results.csv", "summary.csv", "report.md", "report.html"],
    ...["charts", "work"],
  ],
} as const satisfies Record<string, readonly string[]>;

export type RunKind = keyof typeof ownFiles;

/** What a unit of a study keeps in its folder below `work`. */
export const unitFiles = { epochs: "epochs.json", rows: "rows.json" } as const;
