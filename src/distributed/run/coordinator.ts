/** The coordinator's source of derivatives: asks workers, writes each step into the log, and repeats the steps that are there already. */
import { StorageError } from "../../errors/errors.ts";
import type { BatchParts, StepFollower } from "../../estimate/estimator.ts";
import { arraysOf } from "../../objective/parameters.ts";
import type { Arrays } from "../../optim/optimizer.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Status } from "../status.ts";
import type { Transport } from "../transport.ts";
import { type Fingerprint, fingerprintOf, isSame } from "../weights/fingerprint.ts";
import { type GranulePass, type Measured, openGranulePass } from "../weights/granule.ts";
import type { DerivativeSource, GranuleRun, KnownEstimate } from "../weights/granules.ts";
import { type MeasuredStep, weigh } from "../weights/weigh.ts";
import { GranuleAnswers } from "./agreement.ts";
import { Journal } from "./journal.ts";
import type { Leadership } from "./leadership.ts";
import { locate, type Numbered } from "./locate.ts";
import { encodeForetold, type Position, subjects } from "./messages.ts";
import { type CrewEvent, type QuestionRules, Questions } from "./questions.ts";
import type { EndRecord, RecordedEstimate } from "./records.ts";

/** What a coordinator needs besides the run. */
export interface CoordinatorOptions extends QuestionRules {
  readonly transport: Transport;
  readonly leadership: Leadership;
  /** Hears of workers that come, leave, or are dropped. */
  readonly onCrew: (event: CrewEvent) => void;
  /** Ends waiting for workers. */
  readonly signal: AbortSignal | undefined;
  /** Whether others can go on from the newest checkpoint. */
  readonly isShared: () => boolean;
}

/** An estimate whose step was not taken yet. */
interface Pending extends RecordedEstimate {
  readonly step: number;
}

/** Where derivatives come from in a run of several workers. */
export class Coordinator implements DerivativeSource {
  readonly #options: CoordinatorOptions;
  readonly #questions: Questions<Measured>;
  #journal: Journal | undefined;
  #run: GranuleRun | undefined;
  #arrays: Arrays = {};
  /** Computes what is doubted. */
  #judge: GranulePass | undefined;
  /** Records of steps that were taken before this coordinator. */
  #ahead: Numbered[] = [];
  #hasRepeated = false;
  #step = 0;
  #before: Fingerprint = [0, 0];
  /** The step that comes next by the records; undefined where they do not say. */
  #expected: number | undefined;
  #pending: Pending | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#questions = new Questions(options.transport, new GranuleAnswers(), options, options.onCrew);
    options.signal?.addEventListener("abort", () => this.#questions.wake());
  }

  readonly follower: StepFollower = {
    begin: (step) => this.#begin(step),
    commit: (rate) => this.#commit(rate),
  };

  async open(run: GranuleRun): Promise<void> {
    this.#run = run;
    this.#arrays = arraysOf(run.objective.parameters);
  }

  known(): KnownEstimate | undefined {
    const record = this.#ahead[0]?.record;
    const known = record?.kind === "step" ? record : record?.kind === "state" ? record.refused : undefined;
    if (!known || known.step !== this.#step) return undefined;
    if (record?.kind === "step" && !isSame(record.before, this.#before)) throw otherRun(this.#step);
    this.#pending = known;
    return known;
  }

  async measure(feeds: Tensors, key: Key, parts?: BatchParts): Promise<MeasuredStep> {
    const { granules, method } = this.#run as GranuleRun;
    // All granules of the first part, then those of the next. How many losses count is known here, whatever anybody says.
    const weights = [1];
    for (let part = 0; part < (parts?.count ?? 0); part++) weights[part] = (await parts?.read(part)) ?? 1;
    const asked = weights.flatMap(() => granules);
    const judge = async (index: number) => {
      await parts?.read(Math.floor(index / granules.length));
      return this.#compute(feeds, key, index % granules.length);
    };
    const answers = await this.#questions.ask(this.#position, {
      ...{ count: asked.length, judge },
      fits: (index, { derivatives }) => derivatives.length === asked[index]?.count,
      failure: (isAlone) => this.#failure(isAlone),
    });
    const weighed = answers.map(
      (answer, index) =>
        answer && { ...answer, weight: weights[Math.floor(index / granules.length)] as number },
    );
    const { loss, derivatives, counted } = weigh(granules, weighed);
    // Until coefficients follow: where they cannot, these say so.
    const coefficients = new Float32Array(method.tangents).fill(Number.NaN);
    this.#pending = { step: this.#step, loss, counted, coefficients };
    return { loss, derivatives, counted };
  }

  formed(coefficients: Float32Array): void {
    if (!this.#pending) return;
    const own = coefficients.slice();
    this.#pending = { ...this.#pending, coefficients: own };
    this.#options.transport.publish(
      "coordinator",
      subjects.formed,
      encodeForetold({ ...this.#position, coefficients: own }),
    );
  }

  /** Says that the run is over, for now or for good. */
  async end(how: EndRecord["how"], why: string): Promise<void> {
    if (this.#ahead.length > 0 || this.#options.leadership.lost) return;
    await this.#journal?.append({ kind: "end", how, why });
  }

  /** The workers that are there. */
  workers(): Status["workers"] {
    return this.#questions.workers();
  }

  async release(): Promise<void> {
    this.#questions.release();
    await this.#judge?.release();
    this.#judge = undefined;
  }

  /** Where the run is. */
  get #position(): Position {
    return { after: this.#journal?.after ?? 0, step: this.#step, before: this.#before };
  }

  async #begin(step: number): Promise<void> {
    this.#step = step;
    this.#before = fingerprintOf(this.#arrays, step);
    this.#journal ??= await this.#find();
    const refused = this.#pending;
    this.#pending = undefined;
    this.#skipEnds();
    const next = this.#ahead[0];
    if (next?.record.kind === "state") {
      const { refused: before } = next.record;
      // The run is about to diverge as it did, and goes back by itself.
      if (before && before.step === step && !refused) return;
      if (next.record.step !== step || !isSame(next.record.before, this.#before)) throw otherRun(step);
      this.#pass();
    } else if (step !== this.#expected) await this.#writeState(refused);
    this.#expected = step;
  }

  async #commit(rate: number): Promise<void> {
    const pending = this.#pending as Pending;
    const [next] = this.#ahead;
    if (next) {
      const { record } = next;
      if (record.kind === "step" && record.step === this.#step && Object.is(record.rate, rate)) {
        this.#pass();
        this.#stepped();
        return;
      }
      // A run that went back and was ended before it could say so.
      if (this.#hasRepeated || record.kind !== "step") throw otherRun(this.#step);
      this.#forgetAhead();
      await this.#writeState(undefined);
    }
    const { step, loss, counted, coefficients } = pending;
    const failed = this.#failure(false);
    if (failed) throw failed;
    await this.#journal?.append({
      ...{ kind: "step", step, rate, before: this.#before, loss, counted, coefficients },
    });
    this.#stepped();
  }

  #stepped(): void {
    this.#expected = this.#step + 1;
    this.#pending = undefined;
  }

  /** Goes on behind the record that comes next. */
  #pass(): void {
    const passed = this.#ahead.shift();
    if (passed) this.#journal?.passed(passed.sequence, passed.record);
    this.#hasRepeated = true;
    this.#skipEnds();
  }

  #skipEnds(): void {
    for (let [next] = this.#ahead; next?.record.kind === "end"; [next] = this.#ahead) {
      this.#journal?.passed(next.sequence, next.record);
      this.#ahead.shift();
    }
  }

  #forgetAhead(): void {
    for (const { sequence, record } of this.#ahead) this.#journal?.passed(sequence, record);
    this.#ahead = [];
  }

  async #writeState(refused: Pending | undefined): Promise<void> {
    if (!this.#options.isShared())
      throw new StorageError(
        "The run goes on from another state than its workers have, and there is no room to share it; give the server more.",
      );
    await this.#journal?.append({ kind: "state", step: this.#step, before: this.#before, refused });
  }

  /** Where the log knows this state, and what follows it there. */
  async #find(): Promise<Journal> {
    const { transport } = this.#options;
    const found = await locate(transport.log, this.#position);
    if (!found) return new Journal(transport, await transport.log.last());
    this.#ahead = [...found.behind];
    this.#expected = this.#step;
    return new Journal(transport, found.after);
  }

  async #compute(feeds: Tensors, key: Key, granule: number): Promise<Measured> {
    const { objective, method, size, granules, sliced } = this.#run as GranuleRun;
    this.#judge ??= await openGranulePass(objective, method.sampler, size, sliced?.slices);
    return this.#judge.measure(feeds, key, granules[granule] as (typeof granules)[number]);
  }

  /** A step that workers are at is finished before the run stops. */
  #failure(isAlone: boolean): unknown {
    const { leadership, signal } = this.#options;
    return leadership.lost ?? (isAlone && signal?.aborted ? new StoppedError() : undefined);
  }
}

/** Waiting for workers was ended. */
export class StoppedError extends StorageError {
  override readonly name: string = "StoppedError";

  constructor() {
    super("The run was stopped while it waited for its workers; what was done before is kept.");
  }
}

function otherRun(step: number): StorageError {
  return new StorageError(
    `The log of this run has another step ${step + 1} than this program computes: the run was begun with other settings, by another ` +
      "version, or from another checkpoint. Use the same everywhere, or name another run.",
  );
}
