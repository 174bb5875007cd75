import { formatAugmentation } from "../../data/pictures/augment.ts";
import { option as mention, words } from "../../errors/words.ts";
import type { EstimatorDefinition } from "../../estimate/estimator.ts";
import type { Config, ConfigValue } from "../../settings/config.ts";
import type { Identity } from "../../settings/named.ts";
import type { RunConfig } from "../../storage/run-config.ts";
import { trainOptions } from "./options.ts";
import type { RunOptions } from "./run-settings.ts";

/**
 * The options of a run that began when the default guess was none: it goes on without one, where none is asked for.
 *
 * @param options the run of today
 * @param kept its description in the store, of whichever version
 */
export function asBegun<Run extends Pick<RunOptions, "perturb" | "definition">>(
  options: Run,
  kept: RunConfig,
): Run {
  const { perturb, definition } = options;
  return {
    ...options,
    perturb: estimatorAsBegun(perturb, kept),
    definition: estimatorAsBegun(definition, kept),
  };
}

/** As `asBegun`, of what `perturb` chooses. */
export function estimatorAsBegun(definition: EstimatorDefinition, kept: RunConfig): EstimatorDefinition {
  const isOpen = definition.config?.guess === null;
  const { name = "none" } = configIn(configIn(kept.perturb).guess);
  if (!isOpen || name !== "none") return definition;
  return {
    ...definition,
    async plan(objective, options) {
      const plan = await definition.plan(objective, { ...options, remembers: false });
      const note = words`The run began without a guess, and goes on so (${mention("guess", "none")}).`;
      return { ...plan, notes: [...(plan.notes ?? []), note] };
    },
  };
}

/** This run as who wrote a description would have described it: today, before there were local heads or guesses, or in version 0.1. */
export function describeAsBefore(options: RunOptions, now: RunConfig, kept: RunConfig): RunConfig {
  if (kept.format === undefined) return describeInFirstVersion(options, now, kept);
  const [own, before] = [configIn(now.perturb), configIn(kept.perturb)];
  const batch = configIn(now.batch);
  const asNumber = typeof kept.batch === "number" &&
    batch.accumulate === 1 &&
    batch.sampling === undefined && { batch: batch.size ?? null };
  const isNew = (name: string) =>
    (name === "guess" && configIn(own.guess).name === "none") ||
    (name === "localHeads" && own[name] === false);
  const known = Object.entries(own).filter(([name]) => before[name] !== undefined || !isNew(name));
  // With low memory, one at a time was called all at once.
  const isOne = options.lowMemory && options.tangentChunk === undefined;
  return {
    ...now,
    ...asNumber,
    ...(before.name !== undefined && { perturb: Object.fromEntries(known) }),
    ...(isOne && kept.tangentChunk === options.tangents && { tangentChunk: options.tangents }),
  };
}

/**
 * How version 0.1 described this run in config.json, so that runs which it began go on. It knew nothing of a loss's options,
 * of adapters but their rank, of test data, and of samplers' options but two.
 *
 * @param options the run of today
 * @param now its description of today
 * @param kept the description to compare with: where it has null for a default, so has the result
 */
function describeInFirstVersion(options: RunOptions, now: RunConfig, kept: RunConfig): RunConfig {
  const { gradient, perturb, sampler, aggregate, schedule, optimizer, adapter } = options;
  const [site, draw, combine, rates, rule] = [perturb, sampler, aggregate, schedule, optimizer].map(configOf);
  const augment = formatAugmentation(options.augment ?? {});
  const described = {
    ...pick(now, ["model", "data", "parameters", "learningRate", "steps", "seed"]),
    // It was a number alone.
    batch: configIn(now.batch).size ?? null,
    ...pick(now, ["lowMemory", "batchNorm", "clip", "threads", "runtime"]),
    // It was of the loss alone, and so a number.
    patience: options.patience?.epochs ?? null,
    loss: options.loss.name,
    gradient: typeof gradient === "string" ? gradient : gradient.name,
    perturb: perturb.name,
    blocks: options.perturb.name === "blocks" ? sourceOf(site?.pattern) : null,
    sampler: sampler?.name ?? "default",
    rank: draw?.rank ?? 1,
    angle: draw?.degrees ?? null,
    tangents: options.tangents,
    tangentChunk: options.tangentChunk ?? options.tangents,
    aggregate: aggregate.name,
    within: combine?.within ?? null,
    select: combine?.select ?? "all",
    expectedLength: combine?.expectedLength ?? false,
    shareTangents: site?.shareTangents ?? false,
    adapter: adapter ? `rank ${adapter.rank ?? trainOptions.adapter.parts.rank.default}` : null,
    schedule: schedule.name,
    decay: rates?.decay ?? null,
    decayEvery: rates?.decayEvery ?? null,
    plateauPatience: rates?.patience ?? null,
    warmUp: rates?.warmUp ?? 0,
    optimizer: optimizer.name,
    momentum: rule?.momentum ?? 0,
    nesterov: rule?.nesterov ?? false,
    weightDecay: rule?.weightDecay ?? null,
    beta1: rule?.beta1 ?? null,
    beta2: rule?.beta2 ?? null,
    epsilon: rule?.epsilon ?? null,
    trackQuality: options.quality.every ?? null,
    validation: typeof options.validation === "number" ? options.validation : null,
    ...(augment && { augment }),
    ...(options.input !== undefined && { input: options.input }),
    ...(options.output !== undefined && { output: options.output }),
    ...(options.fill && { fill: JSON.stringify(options.fill) }),
    ...(options.dimensions && { dimensions: JSON.stringify(options.dimensions) }),
  };
  const unread = gradient === "exact" ? pick(kept, tangentNames) : {};
  return { ...described, ...unread, ...defaultsLeftOut(described, kept, optimizer.name) };
}

/** What an exact gradient never read. */
const tangentNames = [
  ...["perturb", "blocks", "sampler", "rank", "angle", "tangents", "tangentChunk", "aggregate"],
  ...["within", "select", "expectedLength", "shareTangents", "lowMemory"],
];

/** Options whose defaults were not resolved. */
function defaultsLeftOut(described: RunConfig, kept: RunConfig, optimizer: string): RunConfig {
  const defaults: RunConfig = {
    angle: 45,
    within: 0.2,
    decay: 0.1,
    plateauPatience: 2,
    weightDecay: optimizer === "adamw" ? 0.01 : 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
  };
  const isLeftOut = (name: string) => kept[name] === null && described[name] === defaults[name];
  return Object.fromEntries(
    Object.keys(defaults)
      .filter(isLeftOut)
      .map((name) => [name, null]),
  );
}

/** A part of a configuration that is one itself; empty where it is none. */
function configIn(value: ConfigValue | undefined): Config {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Config) : {};
}

function configOf(thing: Identity | undefined): Config | undefined {
  return thing?.config;
}

function pick(config: RunConfig, names: readonly string[]): RunConfig {
  return Object.fromEntries(names.flatMap((name) => (name in config ? [[name, config[name] ?? null]] : [])));
}

/** "/layer/" was kept as "layer". */
function sourceOf(pattern: unknown): string | null {
  return typeof pattern === "string" ? pattern.slice(1, pattern.lastIndexOf("/")) : null;
}
