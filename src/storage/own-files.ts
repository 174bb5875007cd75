/** Checkpoints are written to these in turn, so that the one before stays as it is. */
export const checkpointFiles = ["checkpoint/state.safetensors", "checkpoint/state-2.safetensors"] as const;

const trainFiles = [
  ...["config.json", "metrics.jsonl", "model.onnx", "report.json", "report.html"],
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
