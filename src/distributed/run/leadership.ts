/** Who coordinates a run: one at a time, by a lease that is renewed. */
import type { Transport } from "../transport.ts";
import { CoordinatorReplacedError } from "./journal.ts";

/** The lease of whoever coordinates. */
export const leaseName = "coordinator";

/** Holds the lease of a run's coordinator. */
export class Leadership {
  readonly #transport: Transport;
  readonly #milliseconds: number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #until = 0;
  #lost: CoordinatorReplacedError | undefined;

  private constructor(transport: Transport, milliseconds: number) {
    this.#transport = transport;
    this.#milliseconds = milliseconds;
  }

  /** @returns undefined where another holds it */
  static async take(transport: Transport, milliseconds: number): Promise<Leadership | undefined> {
    const leadership = new Leadership(transport, milliseconds);
    if (!(await leadership.#renew())) return undefined;
    // Also while a step computes for long; no step waits for it.
    leadership.#timer = setInterval(() => void leadership.#renew().catch(() => {}), milliseconds / 3);
    return leadership;
  }

  /**
   * Waits for it as long as a coordinator that is gone may hold it.
   *
   * @throws CoordinatorReplacedError where another coordinates
   */
  static async await(transport: Transport, milliseconds: number): Promise<Leadership> {
    const end = performance.now() + 1.5 * milliseconds;
    for (;;) {
      const taken = await Leadership.take(transport, milliseconds);
      if (taken) return taken;
      if (performance.now() > end)
        throw new CoordinatorReplacedError(
          "Another coordinator has this run, and is alive. Let it go on, or end it first; its records and checkpoints stay.",
        );
      await new Promise((resolve) => setTimeout(resolve, Math.min(200, milliseconds / 5)));
    }
  }

  /** What ends a coordinator that lost it. */
  get lost(): CoordinatorReplacedError | undefined {
    return this.#lost;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#lost) await this.#transport.lease.release(leaseName, this.#transport.participant);
  }

  async #renew(): Promise<boolean> {
    const asked = performance.now();
    const { lease, participant } = this.#transport;
    const isOurs = await lease.take(leaseName, participant, this.#milliseconds);
    if (isOurs) this.#until = Math.max(this.#until, asked + this.#milliseconds);
    // An answer that does not come in time is none; what counts in the end is who appends.
    else if (performance.now() > this.#until && this.#until > 0)
      this.#lost ??= new CoordinatorReplacedError(
        "This coordinator could not renew its lease, and another may go on with the run. It stops; nothing that counts is lost.",
      );
    return isOurs;
  }
}
