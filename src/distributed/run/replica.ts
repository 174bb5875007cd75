/** A replica: parameters and the optimizer's state, which follow a run's records bit for bit. */
import { StorageError } from "../../errors/errors.ts";
import { arraysOf, parameterShapes, setParameters } from "../../objective/parameters.ts";
import { clipGlobalNorm } from "../../optim/clip.ts";
import { inKernel } from "../../optim/in-kernel.ts";
import type { Arrays, Optimizer } from "../../optim/optimizer.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import type { RunPlan } from "../../train/run-plan.ts";
import type { RunCheckpoint } from "../../train/run-state.ts";
import { type Fingerprint, fingerprintOf, isSame } from "../weights/fingerprint.ts";
import type { SlicedTangents } from "../weights/slices.ts";
import { openUpdate, type Update } from "../weights/update.ts";
import type { Position } from "./messages.ts";
import type { StepRecord } from "./records.ts";

/** Follows records. */
export class Replica {
  readonly #plan: RunPlan;
  readonly #optimizer: Optimizer;
  readonly #arrays: Arrays;
  readonly #update: Update;
  #state: Arrays;
  #after = 0;
  #step = 0;
  #before: Fingerprint | undefined;
  /** The update that was formed before its record came. */
  #ready:
    | { readonly step: number; readonly coefficients: Float32Array; readonly gradients: Arrays }
    | undefined;

  /**
   * @param plan whose objective's parameters are the replica's
   * @param sampler where the run's tangents come from
   * @param sliced what each granule's tangents perturb. Default: all of them perturb all parameters
   */
  constructor(plan: RunPlan, sampler: Sampler, sliced?: SlicedTangents) {
    const { objective, options } = plan;
    const { parameters, runtime } = objective;
    this.#plan = plan;
    // Plain descent has no kernel of its own.
    this.#optimizer = options.optimizer.isPlain ? options.optimizer : inKernel(options.optimizer);
    this.#arrays = arraysOf(parameters);
    this.#state = options.optimizer.init(this.#arrays);
    const shapes = parameterShapes(parameters);
    this.#update = openUpdate(shapes, sampler, runtime, sliced);
  }

  /** Where it is. */
  get position(): Position {
    this.#before ??= fingerprintOf(this.#arrays, this.#step);
    return { after: this.#after, step: this.#step, before: this.#before };
  }

  /** The key of the step that comes next, of which its tangents are a function. */
  get key() {
    return fold(streamKey(this.#plan.options.seed, "tangents"), this.#step);
  }

  /** Goes on from a checkpoint of the run. */
  load({ parameters, optimizer, state }: Pick<RunCheckpoint, "parameters" | "optimizer" | "state">): void {
    setParameters(this.#arrays, parameters);
    this.#state = optimizer;
    this.#step = state.step;
    this.#before = undefined;
  }

  /** Says which record the state belongs to, once that was found. */
  standAt(after: number): void {
    this.#after = after;
  }

  /** Whether the parameters are those that a record begins with. */
  isAt(step: number, before: Fingerprint): boolean {
    return step === this.#step && isSame(before, this.position.before);
  }

  /** Forms the update of the next step, whose record is to come with these coefficients, [k]. */
  formBefore(coefficients: Float32Array): void {
    this.#ready = {
      step: this.#step,
      coefficients,
      gradients: this.#update.form(this.key, coefficients),
    };
  }

  /** Takes the next step. @throws StorageError where the parameters are not those that it was taken from */
  apply(sequence: number, { step, before, coefficients, rate }: StepRecord): void {
    if (!this.isAt(step, before))
      throw new StorageError(
        `This replica is not the run's: at record ${sequence}, before step ${step + 1}, its parameters are others. It is loaded anew; ` +
          "where that comes again, the computer or its memory is faulty, or the program is another one.",
      );
    const ready = this.#ready;
    this.#ready = undefined;
    const isReady = ready?.step === step && areSameBits(ready.coefficients, coefficients);
    const gradients = isReady ? ready.gradients : this.#update.form(this.key, coefficients);
    const { clip } = this.#plan.options;
    if (clip !== undefined) clipGlobalNorm(gradients, clip);
    this.#optimizer.update(this.#arrays, gradients, this.#state, rate);
    this.#step = step + 1;
    this.#after = sequence;
    this.#before = undefined;
  }

  release(): Promise<void> {
    return this.#update.release();
  }
}

function areSameBits(one: Float32Array, other: Float32Array): boolean {
  return one.length === other.length && one.every((value, index) => Object.is(value, other[index]));
}
