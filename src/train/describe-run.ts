import { formatAugmentation } from "../data/pictures/augment.ts";
import { exampleInput } from "../objective/model-inputs.ts";
import type { Objective } from "../objective/objective.ts";
import { countParameters } from "../objective/parameters.ts";
import { encodeModel } from "../onnx/encode.ts";
import { fingerprint, type RunConfig } from "../storage/run-config.ts";
import type { TrainEvent } from "./events.ts";
import type { RunOptions } from "./options.ts";
import { samplerName, type TrainSettings } from "./prepare.ts";

/** What decides what a run computes, as plain data for config.json. */
export async function describeRun(
  options: RunOptions,
  objective: Objective,
  learningRate: number,
  totalSteps: number,
): Promise<RunConfig> {
  const { examples, runtime } = options;
  return {
    model: await fingerprint(encodeModel(objective.model, new Map())),
    data: await fingerprint(examples.inputs, examples.labels),
    ...describeSettings(options, objective, learningRate, totalSteps),
    threads: runtime.threads,
    runtime: runtime.name,
  };
}

function describeSettings(
  settings: TrainSettings,
  objective: Objective,
  learningRate: number,
  totalSteps: number,
): RunConfig {
  const { tangents = 16 } = settings;
  const augment = formatAugmentation(settings.augment ?? {});
  return {
    parameters: Object.keys(objective.parameters).join(" "),
    loss: settings.loss?.name ?? "cross-entropy",
    ...gradientConfig(settings.gradient),
    perturb: settings.perturb ?? "activations",
    blocks: settings.blocks?.source ?? null,
    sampler: samplerName(settings),
    rank: settings.rank ?? 1,
    angle: settings.angle ?? null,
    tangents,
    tangentChunk: settings.tangentChunk ?? tangents,
    aggregate: settings.aggregate ?? "projection",
    within: settings.within ?? null,
    select: settings.select ?? "all",
    expectedLength: settings.expectedLength ?? false,
    shareTangents: settings.shareTangents ?? false,
    lowMemory: settings.lowMemory ?? false,
    batchNorm: settings.batchNorm ?? "frozen",
    adapter: settings.adapter ? `rank ${settings.adapter.rank}` : null,
    schedule: settings.schedule ?? "cosine",
    decay: settings.decay ?? null,
    decayEvery: settings.decayEvery ?? null,
    plateauPatience: settings.plateauPatience ?? null,
    warmUp: settings.warmUp ?? 0,
    optimizer: settings.optimizer ?? "sgd",
    momentum: settings.momentum ?? 0,
    nesterov: settings.nesterov ?? false,
    weightDecay: settings.weightDecay ?? null,
    beta1: settings.beta1 ?? null,
    beta2: settings.beta2 ?? null,
    epsilon: settings.epsilon ?? null,
    clip: settings.clip ?? null,
    patience: settings.patience ?? null,
    trackQuality: settings.trackQuality ?? null,
    learningRate: settings.learningRate === "auto" ? "auto" : learningRate,
    batch: objective.batch,
    steps: totalSteps,
    validation: settings.validation ?? null,
    seed: settings.seed ?? 0,
    ...(augment && { augment }),
    ...(settings.input !== undefined && { input: settings.input }),
    ...(settings.output !== undefined && { output: settings.output }),
    ...(settings.fill && { fill: JSON.stringify(settings.fill) }),
    ...(settings.dimensions && { dimensions: JSON.stringify(settings.dimensions) }),
  };
}

/** An estimator of the user's own is known by its name and configuration. */
function gradientConfig(gradient: TrainSettings["gradient"] = "forward"): RunConfig {
  if (typeof gradient === "string") return { gradient };
  const { name, config = {} } = gradient;
  return {
    gradient: name,
    ...(Object.keys(config).length > 0 && { gradientConfig: JSON.stringify(config) }),
  };
}

/** The first event of a run. */
export function startEvent(
  options: RunOptions,
  objective: Objective,
  run: Pick<TrainEvent & { kind: "start" }, "dimension" | "learningRate" | "notes" | "steps" | "step">,
): TrainEvent {
  return {
    kind: "start",
    model: objective.model.name,
    input: exampleInput(objective.model, options.examples, options).name,
    output: objective.output,
    trained: Object.keys(objective.parameters),
    parameters: countParameters(objective.parameters),
    tangents: options.gradient === "exact" ? 0 : (options.tangents ?? 16),
    batch: objective.batch,
    ...run,
  };
}
