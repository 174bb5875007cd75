/** What a run is, as plain data, and what a step of it takes. Loaded where a run is kept. */
import { type Examples, targetShapeOf } from "../../data/dataset.ts";
import { none } from "../../guess/none.ts";
import type { Objective } from "../../objective/objective.ts";
import { type ValueMemory, valueMemory } from "../../objective/value-memory.ts";
import { encodeModel } from "../../onnx/encode.ts";
import { type Config, configOf, plain } from "../../settings/config.ts";
import type { Identity } from "../../settings/named.ts";
import type { Option } from "../../settings/option.ts";
import { fingerprint, type RunConfig } from "../../storage/run-config.ts";
import type { DescribedRun } from "../../storage/run-files.ts";
import { drawnTangents } from "./estimator.ts";
import { trainOptions } from "./options.ts";
import type { RunOptions } from "./run-settings.ts";

/** What a run is, now and as an earlier release would have said it. */
export async function describedRun(
  options: RunOptions,
  objective: Objective,
  settled: SettledRun,
): Promise<DescribedRun> {
  const config = await describeRun(options, objective, settled);
  const asBefore = async (kept: RunConfig) => {
    const { describeAsBefore } = await import("./old-config.ts");
    return describeAsBefore(options, config, kept);
  };
  return { config, asBefore };
}

/** What a run settled on besides its options. */
export interface SettledRun {
  readonly learningRate: number;
  readonly steps: number;
  /** Examples set aside. */
  readonly validation: number;
  /** The guess that tangents correct. Default: none. */
  readonly guess?: Identity;
}

/**
 * What a run is, as plain data: config.json. Every option is in it, unless its description says why a resumed run may
 * change it; things with a name describe themselves. Two runs of equal descriptions compute the same.
 */
export async function describeRun(
  options: RunOptions,
  objective: Objective,
  { learningRate, steps, validation, guess }: SettledRun,
): Promise<RunConfig> {
  const { examples, stream, test, runtime, perturb, gradient, tangents, adapter, quality } = options;
  const isForward = gradient !== "exact";
  const draws = drawnTangents(options) > 0;
  const values: Readonly<Record<string, unknown>> = {
    ...options,
    // Of tangents that are not drawn, nothing counts.
    perturb: isForward ? withGuess(perturb, guess) : null,
    tangents: draws ? tangents : null,
    tangentChunk: draws ? tangentsAtOnce(options) : null,
    sampler: draws ? (options.sampler ?? "default") : null,
    aggregate: draws ? options.aggregate : null,
    learningRate: learningRate,
    batch: {
      size: objective.batch * options.accumulate,
      accumulate: options.accumulate,
      ...(options.sampling && { sampling: options.sampling }),
      ...(options.outer && {
        localSteps: options.outer.steps,
        outerRate: options.outer.rate,
        outerMomentum: options.outer.momentum,
      }),
    },
    epochs: options.epochs ?? (options.steps === undefined ? 1 : null),
    steps,
    validation,
    adapter: adapter && { ...partsOf("adapter", adapter), seed: adapter.seed ?? options.seed },
    quality: partsOf("quality", quality),
    augment: options.augment && partsOf("augment", options.augment),
  };
  const kept = Object.entries(trainOptions).filter(
    ([name, option]: readonly [string, Option]) => option.exempt === undefined && !Object.hasOwn(given, name),
  );
  return {
    format: 2,
    model: await fingerprint(encodeModel(objective.model, new Map())),
    data: await fingerprint(...numbersOf(examples), ...(stream ? [Int32Array.of(stream.sum)] : [])),
    ...(stream && { stream: { count: stream.count, buffer: stream.buffer } }),
    shapes: shapesOf(examples),
    test: test ? await examplesFingerprint(test) : null,
    ...(typeof options.validation === "object" && {
      validationData: await examplesFingerprint(options.validation),
    }),
    parameters: Object.keys(objective.parameters).join(" "),
    ...configOf(Object.fromEntries(kept.map(([name]) => [name, values[name]]))),
    ...(options.headFirst && { headAlone: options.headFirst.share }),
    threads: runtime.threads ?? null,
    runtime: runtime.name,
  };
}

/** What a step's values take. */
export function memoryOf(options: RunOptions, objective: Objective): ValueMemory {
  const atOnce = Math.min(drawnTangents(options), tangentsAtOnce(options));
  return valueMemory(objective, { tangents: atOnce, lowMemory: options.lowMemory });
}

function tangentsAtOnce({ tangents, tangentChunk, lowMemory }: RunOptions): number {
  return tangentChunk ?? (lowMemory ? 1 : tangents);
}

/** What a run keeps of the examples that it is tested on: the sum of all their numbers. */
export function examplesFingerprint(examples: Examples): Promise<string> {
  return fingerprint(...numbersOf(examples));
}

function numbersOf({ inputs, labels, furtherInputs = {} }: Examples) {
  return [inputs, labels, ...Object.values(furtherInputs).map(({ values }) => values)] as const;
}

/** Of one example: what it holds for each input, and its labels. */
function shapesOf(examples: Examples): string {
  const further = Object.entries(examples.furtherInputs ?? {}).map(
    ([name, { shape }]) => `, ${name} ${shape.join("×") || "1"}`,
  );
  return `${examples.shape.join("×")}${further.join("")} → ${targetShapeOf(examples).join("×") || "1"}`;
}

/** What is described by what it holds or by its name, above. */
const given = { model: true, examples: true, test: true, runtime: true };

/** A guess that was left open is the one that the run settled on. */
function withGuess(perturb: Identity, guess: Identity = none()): Identity {
  const { name, config } = perturb;
  return config?.guess === null ? { name, config: { ...config, guess: plain(guess) } } : perturb;
}

/** An object of options with its defaults, without what is exempt. */
function partsOf(name: "adapter" | "quality" | "augment", values: Readonly<Record<string, unknown>>): Config {
  const parts: readonly (readonly [string, Option])[] = Object.entries(trainOptions[name].parts);
  return configOf(
    Object.fromEntries(
      parts
        .filter(([, { exempt }]) => exempt === undefined)
        .map(([part, option]) => [part, values[part] ?? option.default]),
    ),
  );
}
