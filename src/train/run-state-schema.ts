/** What the state in a run's checkpoint must be, and reading one; apart from the state itself, so that pages that keep no run do without. */
import * as z from "zod/mini";
import { loadCheckpoint } from "../storage/checkpoint.ts";
import type { RunStore } from "../storage/run-store.ts";
import { type RunCheckpoint, type RunState, startOfRun } from "./run-state.ts";

const count = z.int().check(z.minimum(0));
const seconds = z.number().check(z.minimum(0));
// JSON has null for numbers that are none, such as the loss of a batch that overflowed.
const measured = z.pipe(
  z.nullable(z.number()),
  z.transform((value) => value ?? Number.NaN),
);
const best = z.pipe(
  z.nullable(z.number()),
  z.transform((value) => value ?? Number.POSITIVE_INFINITY),
);
const patience = z.looseObject({ best: z.optional(best), waited: count });
const evaluation = z.pipe(
  z.looseObject({ loss: measured, accuracy: z.optional(z.number().check(z.minimum(0), z.maximum(1))) }),
  z.transform((value) => ({ ...value, accuracy: value.accuracy })),
);

/** The fields of a checkpoint's state; those that a later version adds are kept. */
const fields = z.looseObject({
  step: count,
  metricsBytes: count,
  metricsSum: z.optional(count.check(z.maximum(2 ** 32 - 1))),
  windowLoss: measured,
  windowSteps: count,
  epochLoss: measured,
  epochSteps: count,
  lastEpochLoss: measured,
  timedSeconds: seconds,
  timedSteps: count,
  firstLoss: measured,
  plateau: z.looseObject({ factor: z.number().check(z.minimum(0)), patience }),
  patience,
  bestStep: z.optional(count),
  validation: z.optional(evaluation),
  lastLoss: z.optional(measured),
  leastLoss: z.optional(measured),
  recovery: z.optional(
    z.looseObject({
      ...{ from: count, divergedAt: count, reason: z.string(), isLogged: z.boolean() },
      times: z.optional(count.check(z.minimum(1))),
    }),
  ),
  streamed: z.optional(z.looseObject({ pass: count, read: count, sum: count })),
  result: z.optional(z.looseObject({ steps: count, trainLoss: measured, testLoss: z.optional(measured) })),
});

/** What the plain state in a checkpoint must be. */
export const runStateSchema: z.ZodMiniType<RunState> = z.pipe(
  fields.check(
    z.superRefine(({ step, windowSteps, epochSteps, timedSteps, bestStep = 0 }, context) => {
      const most = Math.max(windowSteps, epochSteps, timedSteps, bestStep);
      if (most > step) context.addIssue(`counts ${most} steps within a run of ${step}; the file is damaged`);
    }),
  ),
  z.transform((state) => ({ ...startOfRun, metricsSum: undefined, ...state })),
);

/**
 * Reads the newest checkpoint of a training run; undefined where there is none.
 *
 * @throws when none is whole
 */
export async function loadRunCheckpoint(store: RunStore): Promise<RunCheckpoint | undefined> {
  return loadCheckpoint(store, runStateSchema);
}
