// This library's step, as a process of its own like its peers.
import * as autodiff from "../../dist/autodiff.js";
import * as index from "../../dist/index.js";
import { nodeRuntime } from "../../dist/node.js";
import { networks } from "../networks.mjs";
import { primalPass, trainingStep } from "../problem.mjs";
import { config, serve } from "./serve.mjs";

const { network, width, batch, tangents, threads, estimator, spin = false } = config;
const library = { ...autodiff, ...index };
const runtime = nodeRuntime({ threads, spin });
const problem = network ? ofNetwork(networks[network]) : mlp();
const { step } = await (estimator === "forward" ? forwardPass : trainingStep)({
  ...problem,
  runtime,
  settings: {
    dense: { perturb: "weights", sampler: "gaussian", tangents },
    "dense, signs": { perturb: "weights", sampler: "rademacher", tangents },
    "low-rank": { perturb: "weights", sampler: "low-rank", tangents },
    activations: { perturb: "activations", sampler: "gaussian", tangents },
    "activations, signs": { perturb: "activations", sampler: "rademacher", tangents },
    "activations, feedback": {
      ...{ perturb: library.activations({ guess: "feedback" }), sampler: "rademacher", tangents },
    },
    exact: { gradient: "exact" },
  }[estimator],
});
/** The model and its loss alone. */
async function forwardPass(problem) {
  const training = await trainingStep({ ...problem, settings: { gradient: "exact" } });
  const { run } = await primalPass(training.objective, problem);
  return { step: run };
}

/** What a step of one of the networks needs. */
function ofNetwork({ shape, batch, build, input }) {
  return { model: build(library), shape, batch, input: input?.() };
}

function mlp() {
  const model = library.mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 });
  return { model, shape: [1, 28, 28], batch };
}

// The library's own tests check derivatives against the exact gradient.
await serve(step, runtime.name, 0);
