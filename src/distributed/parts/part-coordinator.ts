/** The coordinator of a run whose workers compute parts of batches: says what a step begins with, hears what each part gives, and writes down that it was taken. */
import type { StepFollower } from "../../estimate/estimator.ts";
import { copyState, type EstimatorState } from "../../estimate/state.ts";
import { arraysOf } from "../../objective/parameters.ts";
import type { Arrays } from "../../optim/optimizer.ts";
import type { Key } from "../../random/threefry.ts";
import {
  NotFiniteError,
  type PartEstimate,
  type PartSource,
  type StepParts,
} from "../../train/batches/part-source.ts";
import { type CoordinatorOptions, StoppedError } from "../run/coordinator.ts";
import { Journal } from "../run/journal.ts";
import { type Position, subjects } from "../run/messages.ts";
import { Questions } from "../run/questions.ts";
import type { EndRecord } from "../run/records.ts";
import type { Status } from "../status.ts";
import { type Fingerprint, fingerprintOf } from "../weights/fingerprint.ts";
import { byteLengthOf, toBytes, writeBytes } from "./layout.ts";
import { type PartAnswer, PartAnswers } from "./part-answers.ts";
import { Departure, decodeLacking, pieceSize, stateOfStep } from "./pieces.ts";

/**
 * Where parts of steps are computed in a run of several workers. Each step is a record, so that of two coordinators only one goes on;
 * what it led to is in the next checkpoint, from which whoever goes on repeats the steps behind it.
 */
export class PartCoordinator implements PartSource {
  readonly #options: CoordinatorOptions;
  readonly #answers: PartAnswers;
  readonly #questions: Questions<PartAnswer>;
  readonly #stop: () => void;
  #parts: StepParts | undefined;
  #arrays: Arrays = {};
  #journal: Journal | undefined;
  #step = 0;
  #before: Fingerprint = [0, 0];
  #expected: number | undefined;
  #loss = Number.NaN;
  #state: Departure | undefined;

  constructor(options: CoordinatorOptions) {
    const { transport, signal } = options;
    this.#options = options;
    this.#answers = new PartAnswers(transport);
    this.#questions = new Questions(transport, this.#answers, options, options.onCrew);
    signal?.addEventListener("abort", () => this.#questions.wake());
    this.#stop = transport.subscribe("worker", subjects.lacking, (message) => {
      const lacking = decodeLacking(message);
      if (lacking && this.#state?.isOf(lacking)) this.#state.say(lacking.indices);
    });
  }

  readonly follower: StepFollower = {
    begin: (step) => this.#begin(step),
    commit: (rate) => this.#commit(rate),
  };

  open(parts: StepParts): void {
    this.#parts = parts;
    this.#arrays = arraysOf(parts.objective.parameters);
  }

  async estimate(key: Key, state: EstimatorState): Promise<readonly PartEstimate[]> {
    const { count, compute } = this.#parts as StepParts;
    const { transport } = this.#options;
    const position = this.#position;
    const whole = { ...position, part: stateOfStep, loss: 0, unforeseen: 0 };
    const bytes = toBytes(this.#arrays, state);
    this.#state = new Departure(
      { ...whole, total: bytes.length },
      bytes,
      pieceSize(transport.largestMessage),
      (message) => transport.publish("coordinator", subjects.state, message),
    );
    this.#answers.begin(byteLengthOf(this.#arrays));
    this.#state.begin();
    const answers = await this.#questions.ask(position, {
      count,
      // An answer has the lengths of what it answers to.
      fits: (_, answer) => answer.bytes.length === 0 || answer.bytes.length === bytes.length,
      judge: (part) => answerOf(() => compute(part, key, state)),
      failure: (isAlone) => this.#failure(isAlone),
    });
    this.#state = undefined;
    const estimates = answers.map((answer) => this.#estimateOf(answer as PartAnswer, state));
    // The first part's, for people.
    this.#loss = estimates[0]?.estimate.loss ?? Number.NaN;
    return estimates;
  }

  /** Says that the run is over, for now or for good. */
  async end(how: EndRecord["how"], why: string): Promise<void> {
    if (!this.#options.leadership.lost) await this.#journal?.append({ kind: "end", how, why });
  }

  /** The workers that are there. */
  workers(): Status["workers"] {
    return this.#questions.workers();
  }

  async release(): Promise<void> {
    this.#stop();
    this.#questions.release();
  }

  get #position(): Position {
    return { after: this.#journal?.after ?? 0, step: this.#step, before: this.#before };
  }

  async #begin(step: number): Promise<void> {
    this.#step = step;
    this.#before = fingerprintOf(this.#arrays, step);
    const { transport } = this.#options;
    this.#journal ??= new Journal(transport, await transport.log.last());
    // What another coordinator had begun behind this is void.
    if (step !== this.#expected) await this.#journal.append({ kind: "state", step, before: this.#before });
    this.#expected = step;
  }

  async #commit(rate: number): Promise<void> {
    const failed = this.#failure(false);
    if (failed) throw failed;
    const [step, before, loss] = [this.#step, this.#before, this.#loss];
    const nothing = { counted: [], coefficients: new Float32Array() };
    await this.#journal?.append({ kind: "step", step, rate, before, loss, ...nothing });
    this.#expected = step + 1;
  }

  #estimateOf({ loss, unforeseen, bytes }: PartAnswer, state: EstimatorState): PartEstimate {
    if (bytes.length === 0)
      throw new NotFiniteError("A worker found numbers that are not finite in a part of the batch.");
    const gradients = Object.fromEntries(
      Object.entries(this.#arrays).map(([name, { length }]) => [name, new Float32Array(length)]),
    );
    const learned = copyState(state);
    writeBytes(bytes, gradients, learned);
    return {
      estimate: { loss, gradients, ...(Number.isNaN(unforeseen) ? {} : { unforeseen }) },
      learned,
    };
  }

  /** A step that workers are at is finished before the run stops. */
  #failure(isAlone: boolean): unknown {
    const { leadership, signal } = this.#options;
    return leadership.lost ?? (isAlone && signal?.aborted ? new StoppedError() : undefined);
  }
}

/** What a part gave, as it is said. */
export async function answerOf(compute: () => Promise<PartEstimate>): Promise<PartAnswer> {
  try {
    const { estimate, learned } = await compute();
    const { loss, unforeseen = Number.NaN, gradients } = estimate;
    return { loss, unforeseen, bytes: toBytes(gradients, learned) };
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    return { loss: Number.NaN, unforeseen: Number.NaN, bytes: new Uint8Array() };
  }
}
