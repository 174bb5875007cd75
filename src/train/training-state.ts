import { copyState, type EstimatorState } from "../estimate/state.ts";
import { arraysOf, copyTensors, setParameters } from "../objective/parameters.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import type { BatchReader } from "./batches/batch-reading.ts";
import { afterDivergence, keepSnapshot, mayRecover } from "./recovery.ts";
import { type RunCheckpoint, type RunState, startOfRun } from "./run-state.ts";

/** All that changes while a run trains: what its checkpoints hold, and what it goes back to. */
export class TrainingState {
  /** Parameters, and running statistics that follow the batches. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The same, as the arrays that steps write into. */
  readonly arrays: Arrays;
  optimizer: Arrays;
  estimator: EstimatorState;
  /** All else, as plain data. */
  state: RunState = startOfRun;
  /** What had the best validation loss, where early stopping needs it. */
  #best: RunCheckpoint["best"];
  /** What the run goes back to if its default learning rate diverges. */
  #good: RunCheckpoint["good"];

  constructor(parameters: Readonly<Record<string, Tensor>>, optimizer: Arrays, estimator: EstimatorState) {
    this.parameters = parameters;
    this.arrays = arraysOf(parameters);
    this.optimizer = optimizer;
    this.estimator = estimator;
  }

  /** What goes on from here, as it is; nothing is copied. */
  checkpoint(): RunCheckpoint {
    const { parameters, optimizer, estimator, state } = this;
    return { parameters, optimizer, estimator, state, best: this.#best, good: this.#good };
  }

  restore(checkpoint: RunCheckpoint): void {
    setParameters(this.arrays, checkpoint.parameters);
    this.optimizer = checkpoint.optimizer;
    this.estimator = checkpoint.estimator;
    this.state = checkpoint.state;
    this.#best = checkpoint.best;
    this.#good = checkpoint.good;
  }

  /** Reads the batch of the next step; of a stream, the state says what was read. */
  async read(batches: Pick<BatchReader, "read">): Promise<void> {
    const { step, streamed } = this.state;
    const position = await batches.read(step, streamed);
    if (position) this.state = { ...this.state, streamed: position };
  }

  /** Keeps a copy to go back to. */
  keepGood(): void {
    this.#good = keepSnapshot(this, this.#good);
  }

  /** Goes back to the copy, which stays; the best one so far does, too. @returns whether there was one, and it may once more */
  returnToGood(reason: string): boolean {
    const good = this.#good;
    if (!good || !mayRecover(this.state)) return false;
    const state = afterDivergence(good.state, this.state, reason);
    this.restore({ ...keepSnapshot(good), state, best: this.#best, good });
    return true;
  }

  keepBest(): void {
    this.#best = { parameters: copyTensors(this.parameters), estimator: copyState(this.estimator) };
  }

  /** Takes the best parameters, where they were kept. @returns whether they were */
  takeBest(): boolean {
    const best = this.#best;
    if (!best) return false;
    setParameters(this.arrays, best.parameters);
    this.estimator = copyState(best.estimator);
    return true;
  }
}
