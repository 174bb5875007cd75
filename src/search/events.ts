import type { Words } from "../errors/words.ts";
import type { Rung } from "./successive-halving.ts";

/** One training run of a search. */
export interface Trial {
  /** From 0. */
  readonly rung: number;
  /** The rate that was tried, before schedules. */
  readonly learningRate: number;
  /** Decides batches, tangents and what else is drawn. */
  readonly seed: number;
  /** Length of the run. */
  readonly steps: number;
  /** Whether it was given up because its loss was no longer finite, or far too large. */
  readonly diverged: boolean;
  /** Absent where the run diverged. */
  readonly validationLoss?: number;
  /** Absent where the run diverged, and for float targets. */
  readonly validationAccuracy?: number;
  /** Wall time. */
  readonly seconds: number;
}

/** What a finished search reports. */
export interface SearchResult {
  /** The best of the last rung, or of an earlier one where all diverged later; undefined where all diverged at once. */
  readonly learningRate: number | undefined;
  /** How long its runs were that decided. */
  readonly steps: number | undefined;
  /** Means over the seeds, after so many steps. */
  readonly validationLoss: number | undefined;
  /** From 0 to 1; undefined for float targets. */
  readonly validationAccuracy: number | undefined;
  /** Where the best rate is the lowest or the highest of all that were tried, so that better ones may lie beyond. */
  readonly edge: "lowest" | "highest" | undefined;
  /** In the order in which they ran. */
  readonly trials: readonly Trial[];
}

/**
 * What `searchLearningRate` yields. Trials and steps are counted over the whole search: `trials` in all, `done` of them
 * so far, in the `rungs` of the plan, and `steps` in all. A `step` says the `loss` of one step of the `trial` with this
 * `learningRate`; a finished `trial` has its own event, and the last event has the `result`.
 */
export type SearchEvent =
  | {
      readonly kind: "start";
      /** All rates that are tried, in ascending order. */
      readonly rates: readonly number[];
      readonly rungs: readonly Rung[];
      readonly trials: number;
      /** Trials done already: more than 0 when the search was resumed. */
      readonly done: number;
      readonly steps: number;
      /** What the runs do otherwise than asked for, and why. */
      readonly notes: readonly Words[];
    }
  | {
      readonly kind: "step";
      readonly learningRate: number;
      readonly loss: number;
      /** From 1. */
      readonly trial: number;
      readonly trials: number;
      readonly step: number;
    }
  | { readonly kind: "trial"; readonly trial: Trial; readonly trials: number; readonly done: number }
  | { readonly kind: "interrupted"; readonly trials: number; readonly done: number }
  | { readonly kind: "done"; readonly result: SearchResult };
