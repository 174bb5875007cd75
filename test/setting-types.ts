/** Settings that TypeScript refuses, and such that it takes: wrong names are errors there as well, and own objects fit. */
import {
  adam,
  type EstimatorDefinition,
  type Loss,
  type Optimizer,
  type Sampler,
  sgd,
  type TrainSettings,
  weights,
} from "../src/index.ts";

// Each line is an error in TypeScript, which `npm run check` requires, and is refused at run time.
export const wrong: readonly TrainSettings[] = [
  // @ts-expect-error a name that is none
  { perturb: "weight" },
  // @ts-expect-error an option of another estimator
  { perturb: { name: "weights", shareTangents: true } },
  // @ts-expect-error an object that makes nothing
  { perturb: { name: "own" } },
  // @ts-expect-error a name that is none
  { gradient: "activations" },
  // @ts-expect-error a name in another spelling
  { optimizer: "Adam" },
  // @ts-expect-error an option of another optimizer
  { optimizer: { name: "sgd", beta1: 0.5 } },
  // @ts-expect-error an option of another optimizer, and a part of its rule
  { optimizer: { name: "adam", momentum: 0.5 } },
  // @ts-expect-error a rule without init and update
  { optimizer: { name: "own" } },
  // @ts-expect-error a maker that is not called
  { optimizer: sgd },
  // @ts-expect-error a name that is none
  { sampler: "normal" },
  // @ts-expect-error an option of an earlier name
  { sampler: { name: "fixed-angle", angle: 3 } },
  // @ts-expect-error a thing of another kind
  { sampler: adam() },
  // @ts-expect-error a name that is none
  { aggregate: "project" },
  // @ts-expect-error an option of another aggregator
  { aggregate: { name: "mean", within: 0.1 } },
  // @ts-expect-error a name that is none
  { schedule: "cosines" },
  // @ts-expect-error an option of another schedule
  { schedule: { name: "cosine", decay: 0.1 } },
  // @ts-expect-error a name that is none
  { loss: "crossentropy" },
  // @ts-expect-error an option of another loss
  { loss: { name: "binary-cross-entropy", smoothing: 0.1 } },
  // @ts-expect-error a name that is none
  { batchNorm: "frosen" },
];

const optimizer: Optimizer = { name: "own", init: () => ({}), update: () => undefined };
const sampler: Sampler = { name: "own", fill: "normal" };
const estimator: EstimatorDefinition = { name: "own", plan: async () => Promise.reject(new Error("unused")) };
const loss: Loss = {
  name: "own",
  target: () => ({ name: "labels", dtype: "float32", shape: [1] }),
  perExample: (g, z) => g.relu(z),
};

export const right: readonly TrainSettings[] = [
  { perturb: "weights", optimizer: "adam", sampler: "fixed-angle", aggregate: "mean", schedule: "linear" },
  { perturb: { name: "blocks", pattern: /a/ }, optimizer: { name: "sgd", momentum: 0.9 } },
  { perturb: weights(), optimizer: adam({ beta1: 0.8 }), sampler: { name: "fixed-angle", degrees: 30 } },
  { optimizer, sampler, perturb: estimator, gradient: estimator, loss },
  { schedule: { name: "own", factor: () => 1 } },
  { aggregate: { name: "own", usesGram: false, expectedGain: () => 1, aggregate: () => undefined } },
];
