// This library's step, as a process of its own like its peers.
import { mlp } from "../../dist/index.js";
import { nodeRuntime } from "../../dist/node.js";
import { trainingStep } from "../problem.mjs";
import { config, serve } from "./serve.mjs";

const { width, batch, tangents, threads, estimator } = config;
const runtime = nodeRuntime({ threads });
const { step } = await trainingStep({
  model: mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 }),
  shape: [1, 28, 28],
  batch,
  runtime,
  settings: {
    dense: { perturb: "weights", sampler: "gaussian", tangents },
    "dense, signs": { perturb: "weights", sampler: "rademacher", tangents },
    "low-rank": { perturb: "weights", sampler: "low-rank", tangents },
    activations: { perturb: "activations", sampler: "gaussian", tangents },
    "activations, signs": { perturb: "activations", sampler: "rademacher", tangents },
    exact: { gradient: "exact" },
  }[estimator],
});
// The library's own tests check derivatives against the exact gradient.
await serve(step, runtime.name, 0);
