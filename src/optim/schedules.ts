/** Learning rate schedules: what the rate is multiplied by at a step. */
import { type Identity, named } from "../settings/named.ts";
import { number, type Options, type Resolved, whole } from "../settings/option.ts";
import type { PlateauRule } from "./plateau.ts";

/** How the learning rate changes over a run. */
export interface Schedule extends Identity {
  /** Factor of the learning rate at a step, from 0 (first) to total − 1 (last). */
  factor(step: number, total: number): number;
  /** Lets the validation losses decide another factor, see `observe`. Default: they decide nothing. */
  readonly plateau?: PlateauRule;
}

type Rule = Omit<Schedule, "name" | "config">;

/** What every schedule can be asked for. */
const common = {
  /** Steps over which the learning rate grows from near 0 at the start. */
  warmUp: whole(0, { help: "steps over which the learning rate grows at the start", default: 0 }),
};

function schedule<const Name extends string, const Own extends Options>(
  name: Name,
  own: Own,
  make: (options: Resolved<Own>) => Rule,
) {
  return named("schedule", name, { ...own, ...common }, (options): Rule => {
    const { warmUp } = options as unknown as Resolved<typeof common>;
    return warmed(make(options as unknown as Resolved<Own>), warmUp);
  });
}

function warmed(rule: Rule, steps: number): Rule {
  if (steps === 0) return rule;
  const factor = (step: number, total: number) =>
    rule.factor(step, total) * (step < steps ? (step + 1) / steps : 1);
  return { ...rule, factor };
}

/** The same learning rate throughout. */
export const constant = schedule("constant", {}, () => ({ factor: () => 1 }));

/**
 * Half a cosine from 1 to 0 (Loshchilov and Hutter, arXiv 1608.03983, without restarts): large steps early, then ever
 * smaller ones, which average out the noise of forward gradients.
 */
export const cosine = schedule("cosine", {}, () => ({
  factor: (step, total) => 0.5 * (1 + Math.cos((Math.PI * step) / Math.max(total, 1))),
}));

/** A straight line from 1 to 0. */
export const linear = schedule("linear", {}, () => ({
  factor: (step, total) => 1 - step / Math.max(total, 1),
}));

const share = { above: 0, to: 1 };

/** decay^⌊step / decayEvery⌋: a staircase. */
export const staircase = schedule(
  "step",
  {
    /** What the learning rate is multiplied by at every `decayEvery`. */
    decay: number(share, { help: "factor of the learning rate", default: 0.1 }),
    /** Steps from one decay to the next. Default: a third of the run. */
    decayEvery: whole(1, { help: "steps between decays", otherwise: "a third of the run" }),
  },
  ({ decay, decayEvery }) => ({
    factor: (step, total) => decay ** Math.floor(step / (decayEvery ?? Math.max(Math.ceil(total / 3), 1))),
  }),
);

/** decay^step, the same factor at each step. */
export const exponential = schedule(
  "exponential",
  {
    /** What the learning rate is multiplied by at each step. Default: so that it ends at 1 %. */
    decay: number(share, { help: "factor of the learning rate", otherwise: "down to 1 % at the end" }),
  },
  ({ decay }) => ({
    factor: (step, total) => (decay === undefined ? 0.01 ** (step / Math.max(total, 1)) : decay ** step),
  }),
);

/** The same learning rate until validation losses no longer improve: a plateau, from which on it is a part of it. */
export const plateau = schedule(
  "plateau",
  {
    /** What the learning rate is multiplied by on a plateau. */
    decay: number(share, { help: "factor of the learning rate", default: 0.1 }),
    /** Validation losses without improvement that are waited for. */
    patience: whole(0, {
      help: "epochs without improvement before the rate decays",
      default: 2,
      flag: "plateau-patience",
      was: ["plateauPatience"],
    }),
  },
  ({ decay, patience }) => ({ factor: () => 1, plateau: { decay, patience } }),
);

/** A schedule that begins with `steps` steps on which its factor grows from 1/steps of itself to itself. */
export function withWarmUp(given: Schedule, steps: number): Schedule {
  return { ...given, config: { ...given.config, warmUp: steps }, ...warmed(given, steps) };
}

/** The schedules by name. */
export const schedules = { constant, cosine, linear, step: staircase, exponential, plateau };

/** Name of a schedule in `schedules`. */
export type ScheduleName = keyof typeof schedules;
