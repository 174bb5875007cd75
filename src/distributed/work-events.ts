/** How somebody works for a run, what happens meanwhile, and how it ends. */
import type { Runtime } from "../runtime/runtime.ts";
import type { TrainEvent } from "../train/events.ts";
import type { Transport } from "./transport.ts";

/** How a worker works. */
export interface WorkOptions {
  /** The worker's way to the run. */
  readonly transport: Transport;
  /** Runs the graphs. */
  readonly runtime: Runtime;
  /** Ends the work after the granule or part at hand. Default: it ends with the run. */
  readonly signal?: AbortSignal;
  /** Whether it goes on with the run where the coordinator is gone. Default true. */
  readonly takesOver?: boolean;
  /** Milliseconds after which a coordinator that says nothing may be gone. Default 10,000. */
  readonly lease?: number;
  /** Hears what happens. Default: nobody does. */
  readonly onEvent?: (event: WorkEvent) => void;
}

/** What happens to a worker. `step` is the next step of its replica, or the one of a `granule` or a `part`; `event` is one of `train`. */
export type WorkEvent =
  /** It waits for a run to begin. */
  | { readonly kind: "waiting" }
  /** It has the run's state, and follows from here; `step` is the next one, counted from 0. */
  | { readonly kind: "joined"; readonly step: number }
  /** It answered for a granule, `granule`, of a step, `step`, each counted from 0. */
  | { readonly kind: "answered"; readonly step: number; readonly granule: number }
  /** It answered for a part of a step's batch, `part`, counted from 0. */
  | { readonly kind: "computed"; readonly step: number; readonly part: number }
  /** Its coordinator was stopped; it waits until somebody goes on with the run. */
  | { readonly kind: "paused" }
  /** Somebody goes on with the run that was stopped. */
  | { readonly kind: "resumed" }
  /** It coordinates the run from here. */
  | { readonly kind: "leads" }
  /** What the run that it coordinates says, an `event` of `train`. */
  | { readonly kind: "run"; readonly event: TrainEvent };

/** How a worker's work ended. */
export interface WorkResult {
  /** The run is complete or has failed, or the worker was told to stop. */
  readonly how: "done" | "failed" | "stopped";
  /** In words. */
  readonly why: string;
  /** Granules that it computed; of a run whose steps are parts of batches, such parts. */
  readonly granules: number;
  /** Steps that it followed, or worked for. */
  readonly steps: number;
}
