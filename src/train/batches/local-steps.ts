/** Local steps: each part of a batch descends by itself from common parameters, and what it changed is its gradient for an outer step. */
import { SettingError } from "../../errors/errors.ts";
import { option as mention, type Words, words } from "../../errors/words.ts";
import type { Estimator } from "../../estimate/estimator.ts";
import { copyState, type EstimatorState } from "../../estimate/state.ts";
import type { Objective } from "../../objective/objective.ts";
import { arraysOf } from "../../objective/parameters.ts";
import { clipGlobalNorm } from "../../optim/clip.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { sgd } from "../../optim/sgd.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import type { Descent } from "../descent/descent.ts";
import type { Outer } from "../settings/batch.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { BatchReader } from "./batch-reading.ts";
import type { PartEstimate } from "./part-source.ts";

/** Outer steps of a run. */
export interface OuterSteps {
  /** H, local steps of each part. */
  readonly steps: number;
  /** Moves the common parameters by the mean of the parts' changes. */
  readonly optimizer: Optimizer;
  /** The same descent, whose steps have the outer rate, whatever that of the local ones is, by which their gradients were clipped. */
  taken(descent: Descent): Descent;
}

/** Batches of outer steps, each of which reads several. */
export interface LocalBatches extends BatchReader {
  /** Reads one part of a local step of the outer step that was read last. @returns the local step's number in the run */
  readLocal(local: number, part: number): Promise<number>;
  /** Whether the first batch was read, which no step is taken on. */
  readonly isFirst: boolean;
}

/** The batches of a run with so many local steps. */
export function localBatches(reader: BatchReader, steps: number): LocalBatches {
  let [outer, isFirst] = [0, false];
  return {
    ...{ split: reader.split, feeds: reader.feeds },
    stepsPerEpoch: Math.max(1, Math.floor(reader.stepsPerEpoch / steps)),
    get parts() {
      return reader.parts;
    },
    get isFirst() {
      return isFirst;
    },
    read(step) {
      [outer, isFirst] = [step, false];
      return reader.read(step * steps);
    },
    readPart: (part) => reader.readPart(part),
    readFirst() {
      isFirst = true;
      reader.readFirst();
    },
    async readLocal(local, part) {
      const now = outer * steps + local;
      await reader.read(now);
      reader.readPart(part);
      return now;
    },
    release: async () => reader.release?.(),
  };
}

/**
 * Outer steps as they are asked for.
 *
 * @param descend makes their optimizer: given, because an import would make pages load it apart from what all runs load
 */
export function outerSteps({ steps, rate, momentum }: Outer, descend: typeof sgd): OuterSteps {
  return {
    steps,
    optimizer: descend({ momentum, ...(momentum > 0 && { nesterov: true }) }),
    taken: (descent) => ({
      ...descent,
      step: (parameters, gradients, state) => descent.step(parameters, gradients, state, rate),
    }),
  };
}

/** @throws SettingError for what local steps cannot be, or leave without effect */
export function requireLocal(
  { schedule, quality, gradient, stream, headFirst }: RunOptions,
  { statistics = {} }: Pick<Objective, "statistics">,
): void {
  const refuse = (isGiven: unknown, what: Words) => {
    if (isGiven)
      throw new SettingError(
        words`Local steps (${mention("batch.localSteps")}) do not go with ${what}; leave one of them out.`,
        { option: "batch.localSteps" },
      );
  };
  refuse(
    schedule.plateau,
    words`${mention("schedule", schedule.name)}, which follows what is validated between exchanges`,
  );
  refuse(
    quality.every !== undefined,
    words`${mention("quality.every", quality.every ?? 1)}, which compares estimates of one batch`,
  );
  refuse(
    gradient === "law",
    words`${mention("gradient", "law")}, which draws an estimate of the whole gradient at once`,
  );
  refuse(stream, words`examples that come from a stream (${mention("examples")})`);
  refuse(headFirst, words`a head that is trained alone at first (${mention("head.alone")})`);
  refuse(Object.keys(statistics).length > 0, words`statistics of batches (${mention("batchNorm", "batch")})`);
}

/**
 * Has a part descend for H steps from the parameters as they are, which stay.
 *
 * @param optimizer takes the local steps, as fast as it can
 * @param rateAt the rate of a local step, counted over the whole run
 */
export function localDescent(
  objective: Objective,
  estimator: Estimator,
  batches: LocalBatches,
  {
    optimizer,
    clip,
    seed,
    steps,
    rateAt,
  }: Pick<RunOptions, "optimizer" | "clip" | "seed"> & {
    readonly steps: number;
    readonly rateAt: (now: number) => number;
  },
): (part: number, state: EstimatorState) => Promise<PartEstimate> {
  const arrays = arraysOf(objective.parameters);
  return async (part, state) => {
    const begun = copyState(arrays);
    const moments = optimizer.init(arrays);
    const learned = copyState(state);
    let sum = 0;
    try {
      for (let local = 0; local < steps; local++) {
        const now = await batches.readLocal(local, part);
        const key = fold(streamKey(seed, "tangents"), now);
        const { loss, gradients } = await estimator.estimate(
          batches.feeds,
          key,
          learned,
          part * objective.batch,
        );
        sum += loss;
        if (clip !== undefined) clipGlobalNorm(gradients, clip);
        optimizer.update(arrays, gradients, moments, rateAt(now));
      }
      const changes = Object.entries(arrays).map(([name, values]) => {
        const before = begun[name] as Float32Array;
        return [name, before.map((value, at) => value - (values[at] as number))] as const;
      });
      return { estimate: { loss: sum / steps, gradients: Object.fromEntries(changes) }, learned };
    } finally {
      for (const [name, values] of Object.entries(arrays)) values.set(begun[name] as Float32Array);
    }
  };
}
