import type { Mention, Words } from "../errors/words.ts";
import type { Quality } from "../estimate/quality.ts";
import type { ValueMemory } from "../objective/value-memory.ts";
import type { Head } from "../onnx/read-model.ts";
import type { Transferred } from "./descent/descent.ts";
import type { Guessing } from "./evaluation/guessing.ts";
import type { Recovery } from "./run-state.ts";

/**
 * What a finished run reports. Accuracies are fractions from 0 to 1. The quality of its estimates is measured at the end, on one
 * batch, over `quality.draws` draws of the tangents, where these are asked for.
 */
export interface TrainResult extends Partial<Quality> {
  /** On the test examples, measured once, at the end. */
  readonly testAccuracy: number | undefined;
  /** Mean over all that counts; undefined without test examples. */
  readonly testLoss: number | undefined;
  /** On the validation examples, where there are any, at the end of the last epoch, or of the run's minutes; of the parameters that are kept. */
  readonly validationLoss: number | undefined;
  /** Of the same parameters, from 0 to 1. */
  readonly validationAccuracy: number | undefined;
  /** Mean loss of the last whole epoch's steps, or of all steps where none was whole. */
  readonly trainLoss: number;
  /** Steps done, all sessions together. */
  readonly steps: number;
  /** Epochs done; the last may be a part of one. */
  readonly epochs: number;
  /** Seconds of wall time, without the first 10 steps of each start, evaluation and checkpoints. */
  readonly secondsPerStep: number | undefined;
  /** n */
  readonly parameters: number;
  /** k */
  readonly tangents: number;
  /** Before schedules. */
  readonly learningRate: number;
  /** The step whose parameters were kept, where early stopping chose them by their validation loss. */
  readonly bestStep: number | undefined;
  /** Whether the minutes were over before all steps were done: from the checkpoint, a resumed run goes on. */
  readonly outOfTime?: true;
  /** Where the default learning rate diverged last: the step that did, the one from which half the rate went on, how often in all. */
  readonly recovery?: Pick<Recovery, "from" | "divergedAt" | "times">;
  /** What one answer to all of the test examples, or else of those set aside for validation, would have reached. */
  readonly guessing?: Guessing;
}

/**
 * What a run does beside its steps: `compile` the derivative graphs, with the first step of each start; `validate` after an
 * epoch; `test`, and measure the `quality` of its estimates, at the end.
 */
export type Stage = "compile" | "validate" | "test" | "quality";

/**
 * What `train` yields.
 *
 * start: the name of the `model`, its `input` and `furtherInputs` that examples feed, the `output` that the loss reads, the names of the
 * tensors that are `trained` and the number of `parameters` in them, `tangents` and `batch`, the `learningRate` before
 * schedules, and all `steps`. step: the number of the `step` of `steps`, its `epoch`, its `loss`. epoch: the number of
 * the `epoch` that ended, the mean `trainLoss` of its steps, `validationLoss` and `validationAccuracy` (0 to 1) after
 * it. stage: the `stage` that begins. warning: a `message`, and the options that it names, `mentions`. interrupted: the `step` of `steps` after
 * which the run stopped, and the `model` as it is then. done: the `result`, and the trained `model`.
 */
export type TrainEvent =
  | {
      readonly kind: "start";
      readonly model: string;
      /** The input that examples feed, the output that the loss reads, and the tensors that are trained. */
      readonly input: string;
      /** Its inputs that the examples' further inputs feed. */
      readonly furtherInputs: readonly string[];
      readonly output: string;
      readonly trained: readonly string[];
      readonly parameters: number;
      /** The head that `withHead` put on the model: what it reads, and how. */
      readonly head: Head | undefined;
      /** Dimension of the space that tangents live in. */
      readonly dimension: number;
      /** 0 where none are drawn. */
      readonly tangents: number;
      /** Name of the guess that tangents correct; undefined where they start from nothing. */
      readonly guess: string | undefined;
      /** Whether each block learns from a guess alone: a local method, neither exact nor a forward gradient. */
      readonly isLocal: boolean;
      readonly learningRate: number;
      readonly batch: number;
      /** Bytes of the values of one step, where the run is kept; there its process can tell what it will take. */
      readonly memory: ValueMemory | undefined;
      /** What is done otherwise than asked for, and why: sentences for the user. */
      readonly notes: readonly Words[];
      readonly steps: number;
      /** How many of them train a new head alone; undefined: none. */
      readonly headAlone: number | undefined;
      /** Steps done already: more than 0 when the run was resumed. */
      readonly step: number;
    }
  /** Something was found that the user should know; the run goes on. */
  | {
      readonly kind: "warning";
      readonly message: string;
      /** Options that the message names, and where. */
      readonly mentions: readonly Mention[];
    }
  /** What is done now takes as long as many steps may: the page or terminal can say so. */
  | { readonly kind: "stage"; readonly stage: Stage }
  | {
      readonly kind: "step";
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly loss: number;
      /** Of this step, schedules included. */
      readonly learningRate: number;
      /** Of this step's estimate, where `quality.every` asks for it. */
      readonly quality?: Quality;
      /**
       * Bytes that crossed to the device and back in this step, where parameters stay in memory of its own: the batch, coefficients,
       * losses, derivatives, Gram matrices. Without what checkpoints and evaluation read.
       */
      readonly transferred?: Transferred | undefined;
    }
  | {
      readonly kind: "epoch";
      readonly epoch: number;
      readonly step: number;
      readonly steps: number;
      readonly trainLoss: number;
      readonly validationLoss: number | undefined;
      readonly validationAccuracy: number | undefined;
      /** Metrics of the validation examples by name, where the run is kept or stops on one: macroF1, r2, …. */
      readonly validation: Readonly<Record<string, number>> | undefined;
    }
  /** The default learning rate diverged, and the run goes back to its last good state and on at half the rate. */
  | ({ readonly kind: "recovery"; readonly learningRate: number } & Pick<
      Recovery,
      "from" | "divergedAt" | "reason"
    >)
  | {
      readonly kind: "interrupted";
      readonly step: number;
      readonly steps: number;
      /** The model as it is after this step, an ONNX file. */
      readonly model: Uint8Array<ArrayBuffer>;
    }
  | {
      readonly kind: "done";
      readonly result: TrainResult;
      /** The trained model, an ONNX file. */
      readonly model: Uint8Array<ArrayBuffer>;
      /** True when the store held the complete run already. */
      readonly resumedComplete: boolean;
    };
