/** What functions of models and objectives take, and what is said of anything else. */

import { type Limits, limitsWith } from "../limits/limits.ts";
import type { Loss } from "../losses/loss.ts";
import type { Graph } from "../onnx/graph.ts";
import { isObject, toggle, value, whole } from "../settings/option.ts";
import { batchNormOption, modelOption, readingOptions, runtimeOption } from "./options.ts";

/** A loss as an object: where functions are called, nothing is chosen by name. */
export const lossOption = value<Loss>(
  "a loss, such as crossEntropy() makes",
  (given) => isObject(given) && typeof given.target === "function" && typeof given.perExample === "function",
  { help: "loss", flag: false },
);

/** What graphs are differentiated of. */
export const differentiable = value<object>(
  "an objective, such as compileObjective() or graphObjective() makes",
  (given) =>
    isObject(given) && isObject(given.graph) && isObject(given.parameters) && isObject(given.runtime),
  {},
);

/** A graph from the builder. */
export const graphOption = value<Graph>(
  "a graph from the builder",
  (given) => isObject(given) && Array.isArray(given.nodes) && Array.isArray(given.parameters),
  {},
);

const { input, ...readOptions } = readingOptions;

/** All options of `compileObjective`. */
export const objectiveOptions = {
  ...readOptions,
  model: modelOption,
  loss: lossOption,
  runtime: runtimeOption,
  batchNorm: batchNormOption,
  batch: whole(1, {}),
  targetShape: value<readonly number[]>(
    "a list of whole numbers from 0",
    (given) => Array.isArray(given) && given.every((size) => Number.isSafeInteger(size) && size >= 0),
    {},
  ),
  keepOutputs: toggle({}),
  limits: value<Partial<Limits>>(
    "an object of limits",
    (given) => isObject(given) && limitsWith(given) !== undefined,
    {},
  ),
};
