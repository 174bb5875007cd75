/** A worker among the others of a run: says that it is there and that it leaves, and hears whether it is wanted. */
import { DeviceError } from "../errors/errors.ts";
import { decodeNotice, subjects } from "./run/messages.ts";
import type { Succession } from "./run/succession.ts";
import type { Waiters } from "./waiters.ts";
import type { WorkOptions } from "./work-events.ts";

/** Milliseconds between two words of a worker that is there. */
export const hereEvery = 1000;

/** From `enter` to `leave`. */
export class Membership {
  readonly #options: WorkOptions;
  readonly #succession: Succession;
  readonly #waiters: Waiters;
  readonly #ends: (() => void)[] = [];
  #isReady = false;
  #dropped: string | undefined;

  /** @param waiters are woken where something was said to this worker, from time to time, and where it is to stop */
  constructor(options: WorkOptions, succession: Succession, waiters: Waiters) {
    this.#options = options;
    this.#succession = succession;
    this.#waiters = waiters;
  }

  /** @param heard what else the coordinator says, by subject */
  enter(heard: Readonly<Record<string, (message: Uint8Array) => void>>): void {
    const { transport, signal } = this.#options;
    const wake = () => this.#waiters.wake();
    signal?.addEventListener("abort", wake);
    const timer = setInterval(() => {
      this.#here();
      wake();
    }, hereEvery);
    this.#ends.push(
      () => clearInterval(timer),
      transport.subscribe("coordinator", subjects.roll, () => {
        this.#succession.heard();
        this.#here();
      }),
      transport.subscribe("coordinator", subjects.dropped, (message) => {
        const notice = decodeNotice(message);
        if (notice?.participant === transport.participant) this.#dropped = notice.why;
        wake();
      }),
      ...Object.entries(heard).map(([subject, hear]) => transport.subscribe("coordinator", subject, hear)),
      () => signal?.removeEventListener("abort", wake),
    );
  }

  /** It can be asked from now on. */
  ready(): void {
    this.#isReady = true;
    this.#here();
  }

  /**
   * @param failed why the log could not be read, if so
   * @throws DeviceError where the coordinator wants nothing more of it; what failed; how the run failed that is coordinated here
   */
  check(failed: unknown): void {
    if (this.#dropped !== undefined)
      throw new DeviceError(
        `The coordinator asks this worker for nothing more: ${this.#dropped}. Its memory or processor may be faulty.`,
        { device: this.#options.runtime.name },
      );
    if (failed) throw failed;
    if (this.#succession.error) throw this.#succession.error;
  }

  async leave(): Promise<void> {
    for (const end of this.#ends) end();
    await this.#succession.end();
    this.#options.transport.publish("worker", subjects.gone, new Uint8Array());
  }

  #here(): void {
    if (this.#isReady) this.#options.transport.publish("worker", subjects.here, new Uint8Array());
  }
}
