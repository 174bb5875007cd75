/** A worker of a run whose steps are computed in parts: takes what a step begins with, and computes the parts that it is asked for. */
import { ForwardgradError } from "../../errors/errors.ts";
import { copyState, type EstimatorState } from "../../estimate/state.ts";
import { arraysOf } from "../../objective/parameters.ts";
import type { Arrays } from "../../optim/optimizer.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import type { PartPass } from "../../train/batches/in-parts.ts";
import type { RunPlan } from "../../train/run-plan.ts";
import { hereEvery, Membership } from "../membership.ts";
import type { Numbered } from "../run/locate.ts";
import { decodeQuestion, isSamePosition, type Position, type Question, subjects } from "../run/messages.ts";
import { decodeRecord } from "../run/records.ts";
import type { Succession } from "../run/succession.ts";
import { closed } from "../transport-error.ts";
import { Waiters } from "../waiters.ts";
import { fingerprintOf, isSame } from "../weights/fingerprint.ts";
import type { WorkOptions, WorkResult } from "../work-events.ts";
import { byteLengthOf, writeBytes } from "./layout.ts";
import { answerOf } from "./part-coordinator.ts";
import {
  Arrival,
  Departure,
  decodeLacking,
  decodePiece,
  encodeLacking,
  pieceSize,
  stateOfStep,
} from "./pieces.ts";

/** Works for a run without anything that must not be lost: what a step begins with is all that it needs. */
export class PartWorker {
  readonly #options: WorkOptions;
  readonly #plan: RunPlan;
  readonly #pass: PartPass;
  readonly #arrays: Arrays;
  /** What the estimator remembers as the step begins. */
  readonly #state: EstimatorState;
  readonly #waiters = new Waiters();
  readonly #succession: Succession;
  readonly #member: Membership;
  readonly #reading = new AbortController();
  #records: Numbered[] = [];
  #readError: unknown;
  #question: Question | undefined;
  readonly #wanted = new Set<number>();
  /** Answers of the question, by part. */
  readonly #answers = new Map<number, Departure>();
  /** What the step begins with, on its way here. */
  #coming: { readonly of: Position; readonly arrival: Arrival } | undefined;
  /** Where the parameters here are. */
  #at: Position | undefined;
  #end: Pick<WorkResult, "how" | "why"> | undefined;
  #computed = 0;
  #steps = 0;

  private constructor(
    options: WorkOptions,
    plan: RunPlan,
    pass: PartPass,
    succession: (wake: () => void) => Succession,
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#pass = pass;
    this.#arrays = arraysOf(plan.objective.parameters);
    this.#state = copyState(pass.state);
    this.#succession = succession(() => this.#waiters.wake());
    this.#member = new Membership(options, this.#succession, this.#waiters);
  }

  /** @throws ForwardgradError where the run's steps have no parts here */
  static async open(
    options: WorkOptions,
    plan: RunPlan,
    succession: (wake: () => void) => Succession,
  ): Promise<PartWorker> {
    const { openPart } = plan.estimator;
    if (!openPart)
      throw new ForwardgradError(
        "The run's steps have one part, which leaves nothing to share; whoever began it is another program.",
      );
    return new PartWorker(options, plan, await openPart(), succession);
  }

  async run(): Promise<WorkResult> {
    const { transport, onEvent } = this.#options;
    this.#member.enter({
      [subjects.ask]: (message) => this.#hear(message),
      [subjects.state]: (message) => this.#take(message),
      [subjects.more]: (message) => {
        const lacking = decodeLacking(message);
        if (lacking?.participant !== transport.participant) return;
        const answer = this.#answers.get(lacking.part);
        if (answer?.isOf(lacking)) answer.say(lacking.indices);
      },
    });
    try {
      void this.#read(Math.max(1, await transport.log.last()));
      this.#member.ready();
      onEvent?.({ kind: "waiting" });
      while (!this.#end) await this.#turn();
      return { ...this.#end, granules: this.#computed, steps: this.#steps };
    } finally {
      this.#reading.abort();
      await this.#member.leave();
    }
  }

  async release(): Promise<void> {
    await this.#pass.release();
    await this.#plan.batches.release?.();
  }

  /** One thing after the other, so that no parameter moves while a part is computed. */
  async #turn(): Promise<void> {
    this.#member.check(this.#readError);
    for (let next = this.#records.shift(); next; next = this.#records.shift())
      this.#end = await this.#succession.follow(next.sequence, next.record);
    if (this.#end) return;
    if (this.#options.signal?.aborted) {
      this.#end = { how: "stopped", why: "" };
      return;
    }
    this.#load();
    const [part] = this.#wanted;
    if (part !== undefined && this.#question && this.#at && isSamePosition(this.#at, this.#question))
      return this.#answer(this.#at, part);
    const wait = this.#askForState();
    await this.#succession.takeOver();
    await this.#waiters.change(Math.min(hereEvery, Math.max(1, wait)));
  }

  #hear(message: Uint8Array): void {
    this.#succession.heard();
    const { transport } = this.#options;
    const question = decodeQuestion(message);
    const share = question?.shares.get(transport.participant);
    if (!question || !share) return;
    const before = this.#question;
    // Messages overtake each other: an older question says nothing new.
    if (before && question.after < before.after) return;
    if (!before || !isSamePosition(question, before)) {
      this.#wanted.clear();
      this.#answers.clear();
    }
    this.#question = question;
    if (!this.#at || !isSamePosition(question, this.#at)) this.#expect(question);
    for (const part of share) {
      const known = this.#answers.get(part);
      // The first piece tells what there is; what is lacking of it is asked for.
      if (known) known.begin(1);
      else this.#wanted.add(part);
    }
    this.#waiters.wake();
  }

  /** A piece of what a step begins with. */
  #take(message: Uint8Array): void {
    this.#succession.heard();
    const piece = decodePiece(message);
    if (!piece || piece.part !== stateOfStep) return;
    if (this.#at && isSamePosition(piece, this.#at)) return;
    if (this.#coming && piece.after < this.#coming.of.after) return;
    this.#expect(piece);
    this.#coming?.arrival.take(piece, performance.now());
    this.#waiters.wake();
  }

  /** What a step begins with is on its way. */
  #expect({ after, step, before }: Position): void {
    const of = { after, step, before };
    if (this.#coming && isSamePosition(this.#coming.of, of)) return;
    const size = pieceSize(this.#options.transport.largestMessage);
    const total = byteLengthOf(this.#arrays, this.#state);
    this.#coming = { of, arrival: new Arrival(total, size, performance.now()) };
  }

  /** Takes over what has come whole. */
  #load(): void {
    if (!this.#coming?.arrival.isWhole) return;
    const { of, arrival } = this.#coming;
    this.#coming = undefined;
    writeBytes(arrival.bytes, this.#arrays, this.#state);
    // What is not as the coordinator has it comes anew.
    if (!isSame(fingerprintOf(this.#arrays, of.step), of.before)) this.#at = undefined;
    else {
      if (!this.#at) this.#options.onEvent?.({ kind: "joined", step: of.step });
      this.#at = of;
      this.#steps++;
    }
  }

  /** Asks for what is lacking of a step's beginning. @returns milliseconds until it is to be asked for again */
  #askForState(): number {
    if (!this.#coming && this.#question && this.#wanted.size > 0) this.#expect(this.#question);
    if (!this.#coming) return Number.POSITIVE_INFINITY;
    const { of, arrival } = this.#coming;
    const { transport } = this.#options;
    const indices = arrival.wanted(performance.now());
    // What nobody here is asked for need not come.
    const isAsked = this.#question && isSamePosition(this.#question, of) && this.#wanted.size > 0;
    if (indices.length > 0 && isAsked)
      transport.publish(
        "worker",
        subjects.lacking,
        encodeLacking({ ...of, participant: "", part: stateOfStep, indices }),
      );
    return isAsked ? arrival.due(performance.now()) : Number.POSITIVE_INFINITY;
  }

  async #answer(position: Position, part: number): Promise<void> {
    const { batches, options } = this.#plan;
    this.#wanted.delete(part);
    const key = fold(streamKey(options.seed, "tangents"), position.step);
    await batches.read(position.step);
    const answer = await answerOf(() => this.#pass.compute(part, key, this.#state));
    this.#computed++;
    const { transport, onEvent } = this.#options;
    const whole = { ...position, part, loss: answer.loss, unforeseen: answer.unforeseen };
    const departure = new Departure(
      { ...whole, total: answer.bytes.length },
      answer.bytes,
      pieceSize(transport.largestMessage),
      (message) => transport.publish("worker", subjects.part, message),
    );
    if (this.#question && isSamePosition(this.#question, position)) this.#answers.set(part, departure);
    departure.begin();
    onEvent?.({ kind: "computed", step: position.step, part });
    // Messages are heard between two parts.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  async #read(from: number): Promise<void> {
    const { signal } = this.#reading;
    try {
      for await (const { sequence, record } of this.#options.transport.log.read(from, signal)) {
        if (signal.aborted) return;
        this.#records.push({ sequence, record: decodeRecord(record) });
        this.#waiters.wake();
      }
      // Records end only where the transport was closed.
      if (!signal.aborted) this.#readError = closed();
    } catch (error) {
      if (!signal.aborted) this.#readError = error;
    }
    this.#waiters.wake();
  }
}
