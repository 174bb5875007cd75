import { SettingError } from "../errors/errors.ts";
/** Factor of the learning rate at a step, from 0 (first) to total − 1 (last). */
export type Schedule = (step: number, total: number) => number;

/** What can be asked of any schedule by name. */
export interface ScheduleOptions {
  /**
   * What the learning rate is multiplied by: at every `decayEvery` for step (default 0.1), at each step for exponential
   * (default: so that it ends at 1 %), on each plateau (default 0.1).
   */
  readonly decay?: number;
  /** step only: steps from one decay to the next. Default: a third of the run. */
  readonly decayEvery?: number;
}

/** The same learning rate throughout. */
export const constant = (): Schedule => () => 1;

/**
 * Half a cosine from 1 to 0 (Loshchilov and Hutter, arXiv 1608.03983, without restarts): large steps early, then ever
 * smaller ones, which average out the noise of forward gradients.
 */
export const cosine = (): Schedule => (step, total) =>
  0.5 * (1 + Math.cos((Math.PI * step) / Math.max(total, 1)));

/** A straight line from 1 to 0. */
export const linear = (): Schedule => (step, total) => 1 - step / Math.max(total, 1);

/** decay^⌊step / decayEvery⌋: a staircase. */
export function staircase(options: ScheduleOptions = {}): Schedule {
  const { decay = 0.1, decayEvery } = options;
  requireDecay("step", decay);
  if (decayEvery !== undefined && !(Number.isSafeInteger(decayEvery) && decayEvery >= 1)) {
    throw new SettingError(
      `The step schedule's decayEvery must be a whole number from 1, received ${decayEvery}.`,
      { option: "decayEvery" },
    );
  }
  return (step, total) => decay ** Math.floor(step / (decayEvery ?? Math.max(Math.ceil(total / 3), 1)));
}

/** decay^step, the same factor at each step. */
export function exponential(options: ScheduleOptions = {}): Schedule {
  const { decay } = options;
  if (decay === undefined) return (step, total) => 0.01 ** (step / Math.max(total, 1));
  requireDecay("exponential", decay);
  return (step) => decay ** step;
}

/** 1: the factor comes from the validation losses, see `observe` in plateau.ts. */
export function plateau(options: ScheduleOptions = {}): Schedule {
  if (options.decay !== undefined) requireDecay("plateau", options.decay);
  return constant();
}

/** A schedule that begins with `steps` steps on which its factor grows from 1/steps of itself to itself. */
export function withWarmUp(schedule: Schedule, steps: number): Schedule {
  return (step, total) => schedule(step, total) * (step < steps ? (step + 1) / steps : 1);
}

function requireDecay(name: string, decay: number): void {
  if (decay > 0 && decay <= 1) return;
  throw new SettingError(`The ${name} schedule's decay must be above 0 and at most 1, received ${decay}.`, {
    option: "decay",
  });
}

const list = { constant, cosine, linear, step: staircase, exponential, plateau };

/** Name of a schedule in `schedules`. */
export type ScheduleName = keyof typeof list;

/** The schedules by name. */
export const schedules: Readonly<Record<ScheduleName, (options?: ScheduleOptions) => Schedule>> = list;
