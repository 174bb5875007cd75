/** Which examples a step reads, and in how many parts. */
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { group } from "../../settings/group.ts";
import { either, type Given, number, numbers, type Option, whole } from "../../settings/option.ts";

/** How the examples of a step are chosen and read. */
export interface Batching {
  /** Examples of a step. */
  readonly batch: number;
  /** In how many parts they are read, one after the other. */
  readonly accumulate: number;
  /** How often classes are drawn. Default: each example once an epoch. */
  readonly sampling: Sampling | undefined;
  /** Local steps of each part, and how their mean change moves the parameters. Default: all parts share each step. */
  readonly outer: Outer | undefined;
}

/** Outer steps, each of so many local ones. */
export interface Outer {
  readonly steps: number;
  readonly rate: number;
  readonly momentum: number;
}

type Sampling = "balanced" | Readonly<Record<string, number>>;

const shares = numbers(
  {},
  {
    help: "how often examples of a class are drawn, by its name; or balanced: all classes equally often",
    otherwise: "each example once an epoch",
  },
);

const parts = {
  /** Examples of a step. */
  size: whole(1, { help: "examples a step", default: 64, flag: "batch" }),
  /** Computes them in so many parts of equal size, one after the other, for less memory. Default 1. */
  accumulate: whole(1, { help: "compute a step's examples in n parts, for less memory", default: 1 }),
  /**
   * Trains each part for so many local steps from common parameters, and moves these by the mean of what the parts changed, as by a
   * gradient: DiLoCo's outer steps (Douillard et al., arXiv 2311.08105, algorithm 1). A step of the run is then one such exchange; the
   * optimizer of the local steps starts anew at each. Default: all parts share each step.
   */
  localSteps: whole(1, {
    help: "each part of a batch takes n steps by itself; then the mean of what they changed is one step of the run",
    otherwise: "all parts share each step",
  }),
  /** The rate by which the mean change moves the parameters. Default 0.7, DiLoCo's. */
  outerRate: number({ above: 0 }, { help: "with local steps: rate of the steps between them", default: 0.7 }),
  /** Nesterov momentum of these steps. Default 0.9, DiLoCo's. */
  outerMomentum: number(
    { from: 0, below: 1 },
    { help: "with local steps: Nesterov momentum of the steps between them", default: 0.9 },
  ),
  /** Draws examples with replacement: all classes equally often, or in proportion to numbers by the classes' names. */
  sampling: either(
    {
      ...shares,
      accepts: (value): value is Readonly<Record<string, number>> =>
        shares.accepts(value) && Object.values(value).every((each) => Number.isFinite(each) && each >= 0),
    },
    { names: ["balanced"], expected: '"balanced"', accepts: (value) => value === "balanced" },
  ) as Option<Sampling, undefined>,
};

const together = group("batch", parts, { help: "which examples a step reads, and in how many parts" });

/** A number of examples, or an object that also says how they are read. */
export const batchOption: Option<number | Given<typeof parts>, 64> & { readonly parts: typeof parts } = {
  ...together,
  default: 64,
  known: ["batchSize"],
  expected: "a whole number from 1, or an object of size, accumulate, sampling and local steps",
  accepts: (given): given is number | Given<typeof parts> =>
    typeof given === "object" && given !== null
      ? together.accepts(given)
      : Number.isSafeInteger(given) && Number(given) >= 1,
};

/** @throws SettingError where parts would not be of one size */
export function batching(given: number | Given<typeof parts>): Batching {
  const {
    size = parts.size.default,
    accumulate = 1,
    sampling,
    localSteps,
    outerRate,
    outerMomentum,
  }: Given<typeof parts> = typeof given === "number" ? { size: given } : given;
  if (localSteps === undefined)
    // A configuration that was printed has all defaults.
    for (const [name, value] of Object.entries({ outerRate, outerMomentum }))
      if (value !== undefined && value !== parts[name as "outerRate" | "outerMomentum"].default)
        throw new SettingError(
          words`${mention(`batch.${name}`, value)} is about steps between local ones (${mention("batch.localSteps")}), and none are asked for; give
            these, or leave it out.`,
          { option: `batch.${name}` },
        );
  const outer = localSteps !== undefined && {
    steps: localSteps,
    rate: outerRate ?? parts.outerRate.default,
    momentum: outerMomentum ?? parts.outerMomentum.default,
  };
  if (size % accumulate === 0) return { batch: size, accumulate, sampling, outer: outer || undefined };
  throw new SettingError(
    words`${mention("batch.accumulate", accumulate)} makes no parts of equal size of ${mention("batch.size", size)}; choose
      a size that it divides (${mention("batch.size", accumulate * Math.ceil(size / accumulate))}).`,
    { option: "batch.accumulate" },
  );
}
