/** What runs of 1, 2 and 4 workers took, which the simulator is held to. */
import type { Host } from "./hosts.ts";
import { type Slowness, scalars, secondsOf } from "./step.ts";

/** Runs of one network with several numbers of workers, side by side on one machine, and its pieces measured apart. */
export interface MeasuredRuns {
  /** What was run. */
  readonly about: string;
  /** Which machine, in the place of one of the simulator's. */
  readonly host: string;
  /** n */
  readonly parameters: number;
  /** k */
  readonly tangents: number;
  readonly granule: number;
  readonly cores: number;
  /** Seconds of one granule's pass, alone. */
  readonly pass: number;
  /** Seconds of rebuilding an update, alone. */
  readonly rebuild: number;
  /** Seconds from an answer to the record that it is part of, of a step without work. */
  readonly exchange: number;
  /** Seconds a step by number of workers, medians. */
  readonly steps: Readonly<Record<number, number>>;
}

const undisturbed: Slowness = { quorum: 1, all: 1 };

/**
 * What the simulator says of such a run: its step with these pieces in the place of a machine's speed. Processes share the
 * cores: what more of them do at once than there are cores takes that much longer. The coordinator rebuilds updates, too.
 *
 * @returns seconds
 */
export function foretold(runs: MeasuredRuns, workers: number): number {
  const { parameters, tangents, granule, cores, pass, rebuild, exchange } = runs;
  const host: Host = {
    // One granule of one example is one pass.
    operations: (2 * parameters * (1 + granule)) / pass,
    draws: (parameters * tangents) / rebuild,
    latency: exchange / 2,
    bandwidth: Number.POSITIVE_INFINITY,
  };
  const messages = Number.POSITIVE_INFINITY;
  const time = scalars(
    { ...{ parameters, tangents, granule, workers, messages, host }, batch: 1 },
    undisturbed,
  );
  const crowded = (processes: number) => Math.max(1, processes / cores);
  return secondsOf({
    ...time,
    compute: time.compute * crowded(workers),
    rebuild: time.rebuild * crowded(workers + 1),
  });
}

/** Medians of 50 steps each, one run after the other, measured by `bench/workers.mjs`; each process has one thread. */
export const measuredRuns: readonly MeasuredRuns[] = [
  {
    about:
      "an mlp of two hidden layers of 512 on MNIST, batches of 256, signs, workers as processes of one machine over a NATS server of its own",
    host: "two cores",
    ...{ parameters: 669_706, tangents: 16, granule: 4, cores: 2 },
    ...{ pass: 0.0217, rebuild: 0.031, exchange: 0.0074 },
    steps: { 1: 0.147, 2: 0.1282, 4: 0.1683 },
  },
];
