/** What a study is: units of work that give rows, and what is made of them. */
import type * as z from "zod/mini";
import type { Chart } from "../charts/chart.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { RunStore } from "../storage/run-store.ts";

/** One setting of a study. Lists are given on the command line as "1,2,4". */
export type Setting = number | string | boolean | readonly (number | string)[];
/** A study's settings by name. */
export type Settings = Readonly<Record<string, Setting>>;

/** One line of a CSV file, by column. Numbers may be NaN or infinite; a column may be absent where its `optional` says so. */
export type Row = Readonly<Record<string, number | string | undefined>>;

/** What a column of a CSV file holds. */
export interface Column {
  /** Its heading in the file. */
  readonly name: string;
  /** Text may not begin or end with spaces. */
  readonly kind: "number" | "text";
  /** For readers of the report, with the unit: "mean over the samples, no unit". */
  readonly description: string;
  /** True: the field may be empty. */
  readonly optional?: boolean;
}

/** What a study gets from outside: engine, data, room for checkpoints, and the wish to stop. */
export interface Environment {
  /** What runs graphs. */
  readonly runtime: Runtime;
  /** Aborted when the user wants to stop; a unit then returns undefined soon (within a second or two). */
  readonly signal: AbortSignal;
  /** A dataset by its name in `datasets`; loaded once. */
  dataset(name: string): Promise<Dataset>;
  /** Room for files of one unit that takes minutes, so that it can go on after a kill (a `RunStore` for `train`). */
  scratch(name: string): RunStore;
  /** Says how far the unit is, from 0 to 1, for the progress bar. Optional to call. */
  advance(fraction: number): void;
}

/**
 * One piece of a study's work. Its rows are written together when it has ended; a unit that was interrupted starts again on
 * resume, so it should take seconds, or keep checkpoints in `environment.scratch(key)`.
 */
export interface Unit {
  /** Unique in the plan, a path of settings: "n=64/batch=3". It must be fit for a folder's name where `scratch` is used. */
  readonly key: string;
  /** Expected time relative to the other units; only the progress bar reads it. */
  readonly cost: number;
  /**
   * Measures. Same settings, same rows, in whatever order and process the units run (measured times excepted).
   *
   * @returns the rows, or undefined where `environment.signal` stopped it
   */
  measure(environment: Environment): Promise<readonly Row[] | undefined>;
}

/** A small table in the report; the cells are text already. */
export interface Table {
  /** Its heading. */
  readonly title: string;
  /** Headings of the columns. */
  readonly header: readonly string[];
  /** Cells by row. */
  readonly rows: readonly (readonly string[])[];
}

/** Whose doing it is that a claim does not hold. */
export type Fault = "paper" | "sample" | "ours";

/** Why a claim does not hold, or is not decided. */
export interface Reason {
  /**
   * paper: what the source claims, or sets, does not hold as measured; sample: what was measured is smaller than what the claim is
   * about; ours: this library, or a claim of ours, falls short.
   */
  readonly fault: Fault;
  /** In plain words, as the rest of a sentence: "5 epochs are too few for rates that suit 200". */
  readonly why: string;
}

/** A statement that the results decide. Reports show first why it does not hold, or is not decided; `verdictOf` makes one. */
export type Verdict = {
  /** What is claimed, in one sentence. */
  readonly statement: string;
  /** The numbers behind it, in one sentence; empty where there are none. */
  readonly evidence: string;
} & (
  | {
      /** The claim holds. */
      readonly holds: true;
    }
  | {
      /** false: the claim does not hold; undefined: these settings do not decide it. */
      readonly holds: false | undefined;
      /** Why. */
      readonly reason: Reason;
    }
);

/** All that was measured. */
export interface Results<S extends Settings = Settings> {
  /** What it was measured with. */
  readonly settings: S;
  /** All measurements. */
  readonly rows: readonly Row[];
  /** One row for each cell of settings. */
  readonly summary: readonly Row[];
}

/**
 * A study: a claim, a measurement that can refute it, and a report. A new one is one exported object in a file of this
 * folder and one entry in `studies.ts`; the command line, resuming, files, reports and the contract tests do the rest.
 *
 * Studies import nothing of Node, of an engine or of Vega: everything comes through `Environment`.
 *
 * @example
 * const settings = {
 *   samples: z.int().check(z.minimum(2), z.describe("draws of the tangents")),
 *   seed: z.int().check(z.minimum(0), z.describe("decides the tangents")),
 * };
 * type HeightSettings = { samples: number; seed: number };
 * export const height: Study<HeightSettings> = { name: "height", settings, full: { samples: 1000, seed: 0 }, … };
 */
export interface Study<S extends Settings = Settings> {
  /** Name on the command line and of its folder. */
  readonly name: string;
  /** The report's heading. */
  readonly title: string;
  /** Where the claim comes from: "Flügel et al., arXiv 2410.17764, section 4.1". */
  readonly source: string;
  /** What is claimed, in a sentence or two that the verdicts then decide. */
  readonly claim: string;
  /** Formulas in Unicode, one a line: "ĝ = V c". */
  readonly equation: readonly string[];
  /** How it is measured, in a paragraph. */
  readonly method: string;
  /** The rule of each setting, of zod or zod/mini, with a description for the report. */
  readonly settings: { readonly [Name in keyof S]: z.core.$ZodType<S[Name]> };
  /** The source's settings. */
  readonly full: S;
  /** Smaller settings, which end within 3 minutes on 2 cores. */
  readonly quick: S;
  /** What the smaller settings leave out, and what they then do not decide, in a sentence or two for the report. */
  readonly quickLeavesOut: string;
  /** For the contract tests: ends within seconds, with at least three units. */
  readonly tiny: S;
  /** Columns of results.csv: every setting that tells a measurement from another, then what was measured. */
  readonly columns: readonly Column[];
  /** Columns of summary.csv: the settings of a cell, its number of measurements, means, deviations, 95 % half-widths. */
  readonly summaryColumns: readonly Column[];
  /** The work, in a fixed order, from the settings alone; makes no measurement. */
  plan(settings: S): readonly Unit[];
  /** One row a cell; `statistics.ts` has means and intervals. */
  summarize(rows: readonly Row[], settings: S): readonly Row[];
  /** What the report draws. */
  charts(results: Results<S>): readonly Chart[];
  /** What the report lists besides. */
  tables?(results: Results<S>): readonly Table[];
  /** What the results say of the claim. */
  verdicts(results: Results<S>): readonly Verdict[];
  /** What a reader must know besides: what was left out and why, where reference points come from. */
  notes?(settings: S): readonly string[];
}
