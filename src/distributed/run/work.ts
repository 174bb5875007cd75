/** A worker: follows a run's records with a replica of its own, computes the granules that it is asked for, and goes on with the run where its coordinator is gone. */
import { runOptions } from "../../train/run-options.ts";
import { describePlan, planRun, type RunPlan } from "../../train/run-plan.ts";
import { hereEvery, Membership } from "../membership.ts";
import { PartWorker } from "../parts/part-worker.ts";
import { requireTraining } from "../run-kind.ts";
import { closed } from "../transport-error.ts";
import { Waiters } from "../waiters.ts";
import { isSame } from "../weights/fingerprint.ts";
import { type GranulePass, openGranulePass } from "../weights/granule.ts";
import { methodOf } from "../weights/granules.ts";
import { type Granule, granulesOf } from "../weights/slices.ts";
import type { WorkOptions, WorkResult } from "../work-events.ts";
import { optionsOf, readDescribed, requireSameRun, requireVersion } from "./described.ts";
import { locate } from "./locate.ts";
import {
  decodeForetold,
  decodeQuestion,
  encodeAnswer,
  type Foretold,
  type Question,
  subjects,
} from "./messages.ts";
import { decodeRecord, type RunRecord } from "./records.ts";
import { Replica } from "./replica.ts";
import { readCheckpoint } from "./shared-store.ts";
import { Succession } from "./succession.ts";

const pollEvery = 250;

/**
 * Works for a run until that ends. A worker knows nothing of the run before: model, data and settings come from where the run is
 * kept.
 *
 * @throws SettingError where the run is no training; ForwardgradError where it is of another version, or computes to another one here; DeviceError where the
 * coordinator found derivatives wrong; StorageError where the replica does not follow the run
 */
export async function work(options: WorkOptions): Promise<WorkResult> {
  const { transport, signal, onEvent = () => {} } = options;
  let described = await readDescribed(transport.objects);
  if (!described) onEvent({ kind: "waiting" });
  while (!described) {
    await requireTraining(transport);
    if (signal?.aborted) return { how: "stopped", why: "", granules: 0, steps: 0 };
    await pause(pollEvery);
    described = await readDescribed(transport.objects);
  }
  requireVersion(described, transport.describe);
  const plan = await planRun(await runOptions(await optionsOf(described, options.runtime)));
  requireSameRun(described.config, (await describePlan(plan)).config, transport.describe);
  const succession = (wake: () => void) => new Succession(options, described, wake);
  const { granule } = described;
  const worker =
    granule === undefined
      ? await PartWorker.open(options, plan, succession)
      : await granuleWorker(options, { ...described, granule }, plan, succession);
  try {
    return await worker.run();
  } finally {
    await worker.release();
  }
}

async function granuleWorker(
  options: WorkOptions,
  described: { readonly granule: number; readonly sliced?: boolean | undefined },
  plan: RunPlan,
  succession: (wake: () => void) => Succession,
): Promise<Worker> {
  const { objective, options: settled } = plan;
  const { granule } = described;
  const { method, sliced } = methodOf(objective, { ...settled, aggregator: settled.aggregate }, described);
  const pass = await openGranulePass(objective, method.sampler, granule, sliced?.slices);
  const replica = new Replica(plan, method.sampler, sliced);
  return new Worker(options, { plan, pass, replica, granule, succession });
}

class Worker {
  readonly #options: WorkOptions;
  readonly #plan: RunPlan;
  readonly #pass: GranulePass;
  readonly #granules: readonly Granule[];
  readonly #replica: Replica;
  readonly #records: { readonly sequence: number; readonly record: RunRecord }[] = [];
  #question: Question | undefined;
  readonly #wanted = new Set<number>();
  /** Answers of the position that was asked for last, by granule. */
  readonly #answers = new Map<number, Uint8Array>();
  /** Coefficients whose record is to come. */
  #foretold: Foretold | undefined;
  #reading: AbortController | undefined;
  #readError: unknown;
  #batchOf: number | undefined;
  #end: Pick<WorkResult, "how" | "why"> | undefined;
  /** The record at which the replica was others' last. */
  #differedAt: number | undefined;
  #computed = 0;
  #followed = 0;
  readonly #waiters = new Waiters();
  readonly #succession: Succession;
  readonly #member: Membership;

  constructor(
    options: WorkOptions,
    {
      plan,
      pass,
      replica,
      granule,
      succession,
    }: {
      readonly plan: RunPlan;
      readonly pass: GranulePass;
      readonly replica: Replica;
      readonly granule: number;
      readonly succession: (wake: () => void) => Succession;
    },
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#pass = pass;
    this.#granules = granulesOf(plan.options.tangents, granule);
    this.#replica = replica;
    this.#succession = succession(() => this.#waiters.wake());
    this.#member = new Membership(options, this.#succession, this.#waiters);
  }

  async run(): Promise<WorkResult> {
    this.#member.enter({
      [subjects.ask]: (message) => this.#hear(message),
      [subjects.formed]: (message) => {
        this.#foretold = decodeForetold(message);
        this.#waiters.wake();
      },
    });
    try {
      await this.#join();
      // Whoever has no replica yet is not to be asked.
      this.#member.ready();
      while (!this.#end) await this.#turn();
      return { ...this.#end, granules: this.#computed, steps: this.#followed };
    } finally {
      this.#reading?.abort();
      await this.#member.leave();
    }
  }

  async release(): Promise<void> {
    await Promise.all([this.#pass, this.#replica].map((each) => each.release()));
  }

  /** One thing after the other, so that no parameter moves while derivatives are computed. */
  async #turn(): Promise<void> {
    this.#member.check(this.#readError);
    const next = this.#records.shift();
    if (next) return this.#follow(next.sequence, next.record);
    if (this.#options.signal?.aborted) {
      this.#end = { how: "stopped", why: "" };
      return;
    }
    const granule = this.#nextGranule();
    if (granule !== undefined) return this.#answer(granule);
    if (this.#foretold?.step === this.#replica.position.step) {
      this.#replica.formBefore(this.#foretold.coefficients);
      this.#foretold = undefined;
      return;
    }
    await this.#succession.takeOver();
    if (this.#records.length > 0 || this.#nextGranule() !== undefined) return;
    await this.#waiters.change(hereEvery);
  }

  #hear(message: Uint8Array): void {
    this.#succession.heard();
    const question = decodeQuestion(message);
    const share = question?.shares.get(this.#options.transport.participant);
    if (!question || !share) return;
    const before = this.#question;
    // Messages overtake each other: an older question says nothing new.
    if (before && question.after < before.after) return;
    if (!before || question.after !== before.after || !isSame(question.before, before.before)) {
      this.#wanted.clear();
      this.#answers.clear();
    }
    this.#question = question;
    for (const granule of share) {
      const known = this.#answers.get(granule);
      if (known) this.#options.transport.publish("worker", subjects.answer, known);
      else this.#wanted.add(granule);
    }
    this.#waiters.wake();
  }

  /** The next granule that is asked for, where the replica is at the question. */
  #nextGranule(): number | undefined {
    const [granule] = this.#wanted;
    if (!this.#question || granule === undefined) return undefined;
    const { after, step, before } = this.#question;
    if (this.#replica.position.after !== after || !this.#replica.isAt(step, before)) return undefined;
    return granule;
  }

  async #answer(index: number): Promise<void> {
    const position = this.#replica.position;
    const { batches } = this.#plan;
    this.#wanted.delete(index);
    const granule = this.#granules[index % this.#granules.length];
    if (!granule) return;
    if (this.#batchOf !== position.step) await batches.read(position.step);
    this.#batchOf = position.step;
    if (batches.parts > 1) batches.readPart(Math.floor(index / this.#granules.length));
    const measured = await this.#pass.measure(batches.feeds, this.#replica.key, granule);
    const answer = encodeAnswer({ ...position, granule: index, ...measured });
    this.#computed++;
    const { transport, onEvent } = this.#options;
    if (this.#question?.after === position.after) this.#answers.set(index, answer);
    transport.publish("worker", subjects.answer, answer);
    onEvent?.({ kind: "answered", step: position.step, granule: index });
    // Messages are heard between two granules.
    await pause(0);
  }

  async #follow(sequence: number, record: RunRecord): Promise<void> {
    if (sequence <= this.#replica.position.after) return this.#join();
    this.#end = await this.#succession.follow(sequence, record);
    if (record.kind === "end") return this.#replica.standAt(sequence);
    const isOurs = this.#replica.isAt(record.step, record.before);
    if (record.kind === "state" && isOurs) return this.#replica.standAt(sequence);
    if (!isOurs) {
      // Loaded anew once; a second time, the fault is here.
      if (record.kind === "step" && this.#differedAt === sequence) this.#replica.apply(sequence, record);
      this.#differedAt = sequence;
      return this.#join();
    }
    if (record.kind === "step") this.#replica.apply(sequence, record);
    this.#followed++;
  }

  /** Takes the run's newest checkpoint, and finds where in the log it stands. */
  async #join(): Promise<void> {
    const { transport, signal, onEvent } = this.#options;
    this.#reading?.abort();
    this.#records.length = 0;
    for (;;) {
      if (signal?.aborted) {
        this.#end = { how: "stopped", why: "" };
        return;
      }
      const checkpoint = await readCheckpoint(transport.objects);
      if (checkpoint) {
        this.#replica.load(checkpoint);
        const found = await locate(transport.log, this.#replica.position);
        if (found) {
          this.#replica.standAt(found.after);
          break;
        }
      }
      onEvent?.({ kind: "waiting" });
      await this.#succession.takeOver();
      await pause(pollEvery);
    }
    this.#batchOf = undefined;
    const reading = new AbortController();
    this.#reading = reading;
    void this.#readFrom(this.#replica.position.after + 1, reading.signal);
    onEvent?.({ kind: "joined", step: this.#replica.position.step });
  }

  async #readFrom(from: number, signal: AbortSignal): Promise<void> {
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

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
