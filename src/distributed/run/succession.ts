/** Who goes on with a run whose coordinator is gone: a worker, which coordinates it beside its work. */
import type { WorkOptions, WorkResult } from "../work-events.ts";
import { type DescribedRun, optionsOf } from "./described.ts";
import { CoordinatorReplacedError } from "./journal.ts";
import { leaseName } from "./leadership.ts";
import type { RunRecord } from "./records.ts";
import { defaultLease, trainTogether } from "./train-together.ts";

/** Watches a run's coordinator, and takes its place. */
export class Succession {
  readonly #options: WorkOptions;
  readonly #described: DescribedRun;
  readonly #wake: () => void;
  readonly #stop = new AbortController();
  #heard = performance.now();
  #leading: Promise<void> | undefined;
  #error: unknown;
  /** Whether the coordinator left on purpose. */
  #isPaused = false;

  /** @param wake hears that the run that is coordinated here has ended */
  constructor(options: WorkOptions, described: DescribedRun, wake: () => void) {
    this.#options = options;
    this.#described = described;
    this.#wake = wake;
  }

  /** The coordinator said something. */
  heard(): void {
    this.#heard = performance.now();
  }

  /**
   * A record of the log. One of an end says how the run is only where it is the newest: behind an older one, somebody went on.
   *
   * @returns how the run ended, if it did
   */
  async follow(sequence: number, record: RunRecord): Promise<Pick<WorkResult, "how" | "why"> | undefined> {
    this.heard();
    const isEnd = record.kind === "end";
    if (isEnd && (await this.#options.transport.log.last()) > sequence) return undefined;
    // Who coordinates ends by its own account.
    if (isEnd && record.how !== "paused") return { how: record.how, why: record.why };
    if (isEnd !== this.#isPaused) this.#options.onEvent?.({ kind: isEnd ? "paused" : "resumed" });
    this.#isPaused = isEnd;
    return undefined;
  }

  /** How the run failed that is coordinated here. */
  get error(): unknown {
    return this.#error;
  }

  /** Coordinates the run, where its coordinator is gone and nobody else does. */
  async takeOver(): Promise<void> {
    const { takesOver = true, lease = defaultLease, transport } = this.#options;
    const isQuiet = performance.now() - this.#heard > lease;
    if (!takesOver || !isQuiet || this.#isPaused || this.#leading || this.#stop.signal.aborted) return;
    this.heard();
    if (!(await transport.lease.take(leaseName, transport.participant, lease))) return;
    this.#options.onEvent?.({ kind: "leads" });
    this.#leading = this.#lead(lease).finally(() => {
      this.#leading = undefined;
      this.#wake();
    });
  }

  /** Coordinates no longer. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#leading;
  }

  async #lead(lease: number): Promise<void> {
    const { transport, runtime, onEvent } = this.#options;
    try {
      const { granule, sliced } = this.#described;
      const options = await optionsOf(this.#described, runtime);
      const { gradient } = options;
      const run = trainTogether(
        {
          ...options,
          // Granules are made where they are asked for.
          gradient: granule === undefined ? gradient : undefined,
          ...{ resume: true, allowChanges: true, signal: this.#stop.signal },
        },
        { transport, lease, ...(granule !== undefined && { granule, sliced }) },
      );
      for await (const event of run) onEvent?.({ kind: "run", event });
    } catch (error) {
      // Another goes on; this one works.
      if (!(error instanceof CoordinatorReplacedError)) this.#error = error;
    }
  }
}
