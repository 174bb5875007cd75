import * as z from "zod/mini";
import { DivergenceError, SettingError, StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { type Schedule, schedules } from "../optim/schedules.ts";
import { streamKey } from "../random/streams.ts";
import { uniform64 } from "../random/uniform.ts";
import type { ConfigValue } from "../settings/config.ts";
import { type ClaimOptions, claimStore, keptConfig, type RunConfig } from "../storage/run-config.ts";
import { type RunStore, readFilled } from "../storage/run-store.ts";
import { readSealed, writeSealed } from "../storage/sealed.ts";
import type { TrainResult } from "../train/events.ts";
import { previewTraining } from "../train/run-plan.ts";
import { scheduleSetting } from "../train/settings/choices.ts";
import type { TrainOptions } from "../train/settings/options.ts";
import { resolveSettings } from "../train/settings/resolve.ts";
import { runSettings } from "../train/settings/run-settings.ts";
import { train } from "../train/train.ts";
import type { SearchEvent, SearchResult, Trial } from "./events.ts";
import { type LearningRateSearchOptions, ownSearchOptions, searchOptions } from "./options.ts";
import { logUniform, planHalving, type Rung, ranked } from "./successive-halving.ts";
import { trialStore } from "./trial-store.ts";

const trialsFile = "trials.json";

/**
 * Finds a learning rate for a training run by successive halving: rates drawn log-uniformly, short runs of all, longer ones
 * of the best, judged by the validation loss (or accuracy), never by test examples. A run that diverges counts as
 * worst. With a store, an interrupted search goes on where it was, and ends with the same trials.
 *
 * @throws for settings that cannot be trained with, and where no validation examples are set aside
 * @example
 * for await (const event of searchLearningRate({ model, examples, runtime, epochs: 2 }))
 *   if (event.kind === "done") console.log(event.result.learningRate);
 */
export async function* searchLearningRate(
  options: LearningRateSearchOptions,
): AsyncGenerator<SearchEvent, void> {
  const settings = checkedOptions(options);
  const release = await options.store?.lock?.();
  try {
    yield* search(options, settings);
  } finally {
    await release?.();
  }
}

/** What is searched, and how. */
type Search = ReturnType<typeof checkedOptions>;

async function* search(
  options: LearningRateSearchOptions,
  { own, training: given }: Search,
): AsyncGenerator<SearchEvent, void> {
  const { store, signal, seed = searchOptions.seed.default } = options;
  const training = await asBegun(given, options);
  const { seeds, judge, evaluations, rungs: rounds, reduction } = own;
  const settings = { evaluations, rungs: rounds, reduction };
  const run = await previewTraining(training);
  const { lowest = run.learningRate / 300, highest = run.learningRate * 10 } = own;
  if (!(lowest < highest)) {
    throw new SettingError(
      `The lowest learning rate must be above 0 and below the highest one, received ${lowest} and ${highest}.`,
      { option: "lowest" },
    );
  }
  const rungs = planHalving({ ...settings, steps: run.steps });
  const described = (of: RunConfig): RunConfig => ({
    ...{ ...of, learningRate: null },
    ...{ search: "learning rate", lowest, highest, judge, seeds, ...settings },
  });
  const asBefore = async (kept: RunConfig) => described(await run.asBefore(kept));
  const trials = store ? await claimTrials(store, described(run.config), { ...options, asBefore }) : [];
  const uniform = uniform64(streamKey(seed, "rates"), rungs[0]?.candidates ?? 0);
  const rates = logUniform(lowest, highest, uniform);
  const count = rungs.reduce((sum, { candidates }) => sum + candidates * seeds, 0);
  const steps = stepsOf(rungs) * seeds;
  yield { kind: "start", rates, rungs, trials: count, done: trials.length, steps, notes: run.notes };

  let contenders = rates;
  let done = 0;
  let stepsBefore = 0;
  for (const [rung, { candidates, steps }] of rungs.entries()) {
    contenders = contenders.slice(0, candidates).sort((a, b) => a - b);
    const first = done;
    for (const learningRate of contenders)
      for (let repeat = 0; repeat < seeds; repeat++) {
        const plan = { rung, learningRate, seed: seed + repeat, steps };
        let trial = trials[done];
        if (trial) requirePlanned(trial, plan, done, `${store?.describe}/${trialsFile}`);
        else {
          trial = yield* runTrial(training, judge, plan, done, { count, stepsBefore, fullSteps: run.steps });
          if (!trial) {
            yield { kind: "interrupted", trials: count, done };
            return;
          }
          trials.push(trial);
          if (store) await writeSealed(store, trialsFile, trials);
          yield { kind: "trial", trial, trials: count, done: done + 1 };
        }
        done++;
        stepsBefore += steps;
        if (signal?.aborted && done < count) {
          yield { kind: "interrupted", trials: count, done };
          return;
        }
      }
    contenders = bestFirst(contenders, trials.slice(first, done), judge);
  }
  yield { kind: "done", result: resultOf(rates, trials, judge) };
}

/** A search that began when the default guess was none goes on without one. */
async function asBegun(
  training: TrainOptions,
  { store, resume }: LearningRateSearchOptions,
): Promise<TrainOptions> {
  const kept = store && resume ? await keptConfig(store) : undefined;
  if (!kept) return training;
  const { estimatorAsBegun } = await import("../train/settings/old-config.ts");
  return { ...training, perturb: estimatorAsBegun(runSettings(training).perturb, kept) };
}

/** The best rate of the last rung that has one which never diverged. */
function resultOf(
  rates: readonly number[],
  trials: readonly Trial[],
  judge: "loss" | "accuracy",
): SearchResult {
  const fallen = new Set(trials.filter(({ diverged }) => diverged).map(({ learningRate }) => learningRate));
  const sound = trials.filter(({ learningRate }) => !fallen.has(learningRate));
  const rung = Math.max(...sound.map((trial) => trial.rung));
  const last = sound.filter((trial) => trial.rung === rung);
  const contenders = rates.filter((rate) => last.some(({ learningRate }) => learningRate === rate));
  const best = bestFirst(contenders, last, judge)[0];
  const own = last.filter(({ learningRate }) => learningRate === best);
  const mean = (name: "validationLoss" | "validationAccuracy") => {
    const known = own.map((trial) => trial[name]).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  return {
    learningRate: best,
    steps: own[0]?.steps,
    validationLoss: mean("validationLoss"),
    validationAccuracy: mean("validationAccuracy"),
    edge:
      best === undefined
        ? undefined
        : best === rates[0]
          ? "lowest"
          : best === rates.at(-1)
            ? "highest"
            : undefined,
    trials,
  };
}

function stepsOf(rungs: readonly Rung[]): number {
  return rungs.reduce((sum, { candidates, steps }) => sum + candidates * steps, 0);
}

/** @throws SettingError as `train` does, and for what a search does not take */
function checkedOptions(options: LearningRateSearchOptions) {
  const naming = { of: "searchLearningRate" };
  resolveSettings(searchOptions, options, naming);
  const names = Object.keys(ownSearchOptions);
  const entries = Object.entries(options);
  const own = Object.fromEntries(entries.filter(([name]) => names.includes(name)));
  const training = Object.fromEntries(
    entries.filter(([name]) => !names.includes(name)),
  ) as unknown as TrainOptions;
  runSettings(training, naming.of);
  return { own: resolveSettings(ownSearchOptions, own, naming), training };
}

const trialsSchema = z.array(
  z.object({
    rung: z.int().check(z.minimum(0)),
    learningRate: z.number().check(z.positive()),
    seed: z.int(),
    steps: z.int().check(z.minimum(1)),
    diverged: z.boolean(),
    validationLoss: z.optional(z.number()),
    validationAccuracy: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
    seconds: z.number().check(z.minimum(0)),
  }),
);

/** The trials that the store's search has done. */
async function claimTrials(store: RunStore, config: RunConfig, options: ClaimOptions): Promise<Trial[]> {
  const { resume, overwrite, allowChanges, asBefore } = options;
  const claim = await claimStore(store, "search", config, { resume, overwrite, allowChanges, asBefore });
  const trials = claim.isOld ? await readSealed(store, trialsFile, trialsSchema) : [];
  if (!trials && (await hasFinishedTrial(store))) {
    throw new StorageError(
      words`${store.describe}/${trialsFile} is missing, and it holds the trials that were done; restore it, search
        again in another folder (${option("store")}), or discard the search (${option("overwrite", true)}).`,
      { path: store.describe },
    );
  }
  await claim.take();
  return trials ?? [];
}

/** Whether a search that is not its first trial any more, or has ended, left its traces. */
async function hasFinishedTrial(store: RunStore): Promise<boolean> {
  const owner = await readFilled(store, "trial/trial.txt");
  const isLater = owner !== undefined && new TextDecoder().decode(owner) !== "0";
  return isLater || (await readFilled(store, "trials.csv")) !== undefined;
}

function requirePlanned(trial: Trial, plan: Plan, index: number, source: string): void {
  for (const name of ["rung", "learningRate", "seed", "steps"] as const) {
    if (trial[name] === plan[name]) continue;
    throw new StorageError(
      words`${source} is of another search: trial ${index + 1} has ${name} ${trial[name]}, expected ${plan[name]};
        restore it, or search again in another folder (${option("store")}).`,
      { path: source },
    );
  }
}

type Plan = Pick<Trial, "rung" | "learningRate" | "seed" | "steps">;

/** Trains with one rate; undefined when the signal ended it. */
async function* runTrial(
  options: TrainOptions,
  judge: "loss" | "accuracy",
  plan: Plan,
  index: number,
  round: { readonly count: number; readonly stepsBefore: number; readonly fullSteps: number },
): AsyncGenerator<SearchEvent, Trial | undefined> {
  const { steps, learningRate, seed } = plan;
  const { store } = options;
  const { count, stepsBefore, fullSteps } = round;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const events = train({
    ...options,
    learningRate,
    seed,
    steps,
    epochs: undefined,
    schedule: shortened(options.schedule, steps, fullSteps),
    quality: { ...options.quality, draws: 0 },
    store: store && (await trialStore(store, `${index}`)),
    resume: store !== undefined,
    allowChanges: store && options.allowChanges,
    overwrite: undefined,
    signal: options.signal,
  });
  let result: TrainResult | undefined;
  try {
    for await (const event of events) {
      if (event.kind === "step") {
        const { step, loss } = event;
        yield { kind: "step", learningRate, loss, trial: index + 1, trials: count, step: stepsBefore + step };
      }
      if (event.kind === "done") result = event.result;
    }
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    return { ...plan, diverged: true, seconds: seconds() };
  }
  if (!result) return undefined;
  const { validationLoss, validationAccuracy } = result;
  const judged = judge === "accuracy" ? validationAccuracy : validationLoss;
  if (judged === undefined) {
    throw new SettingError(
      validationLoss === undefined
        ? "A search judges rates by the validation examples, and none are set aside; set validation above 0, or give more data (of fewer than 10 to train on, none are set aside by default)."
        : "A search by accuracy needs class numbers as labels; judge by the loss.",
      { option: "judge" },
    );
  }
  return { ...plan, diverged: false, validationLoss, validationAccuracy, seconds: seconds() };
}

/** A schedule in which numbers of steps shrink with the run; one of the user's own is told how long the run is. */
function shortened(schedule: TrainOptions["schedule"], steps: number, fullSteps: number): Schedule {
  const whole = scheduleSetting.choose(schedule ?? scheduleSetting.default);
  const { warmUp, decayEvery } = whole.config ?? {};
  const scaled = (of: ConfigValue | undefined, least: number) =>
    typeof of === "number" ? Math.max(least, Math.round((of * steps) / fullSteps)) : undefined;
  if (!Object.hasOwn(schedules, whole.name)) return whole;
  const given = configured(whole);
  return scheduleSetting.choose({ ...given, warmUp: scaled(warmUp, 0), decayEvery: scaled(decayEvery, 1) });
}

/** A thing of a registry as data, from its description: null is what was not given. */
function configured({ name, config = {} }: Schedule): Readonly<Record<string, ConfigValue>> {
  return { name, ...Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null)) };
}

/** Rates from best to worst by the mean over their trials; among equals, the lower rate comes first. */
function bestFirst(rates: readonly number[], trials: readonly Trial[], judge: "loss" | "accuracy"): number[] {
  const scored = rates.map((rate, candidate) => {
    const own = trials.filter(({ learningRate }) => learningRate === rate);
    const scores = own.map(({ diverged, validationLoss = 0, validationAccuracy = 0 }) =>
      diverged ? Number.POSITIVE_INFINITY : judge === "loss" ? validationLoss : -validationAccuracy,
    );
    return { candidate, score: scores.reduce((sum, score) => sum + score, 0) / scores.length };
  });
  return ranked(scored).map(({ candidate }) => rates[candidate] as number);
}
