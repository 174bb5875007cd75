import { isArrayOf } from "../../arrays/kind.ts";
import type { Examples } from "../../data/dataset.ts";
import type { Loss } from "../../losses/loss.ts";
import type { Objective } from "../../objective/objective.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { validationOf } from "../saved-model.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { Evaluation } from "./measure-model.ts";

/** What one answer to everything reaches on the examples that a run is judged by. */
export interface Guessing {
  /** Of always giving the most frequent class; undefined for float targets. */
  readonly accuracy: number | undefined;
  /** Of always giving the targets' mean; undefined for class numbers, and where the loss tells no best constant answer. */
  readonly loss: number | undefined;
  /** Which examples: those of the test, or else those set aside for validation. */
  readonly examples: "test" | "validation";
  /** Whether the trained model is hardly better, by less than a tenth of the way from there to perfect answers. */
  readonly isNear: boolean;
}

const least = 0.1;

/**
 * Compares what a model reaches with one answer to all examples.
 *
 * @param indices which of the examples; default: all
 * @returns undefined where nothing tells them apart: no example counts, or the loss is not one of ours
 */
export async function compareWithGuessing(
  measured: Pick<Evaluation, "loss" | "accuracy">,
  given: {
    readonly examples: Examples;
    readonly indices?: Uint32Array;
    readonly from: Guessing["examples"];
    readonly loss: Loss;
    readonly runtime: Runtime;
  },
): Promise<Guessing | undefined> {
  const { examples, from } = given;
  const indices = given.indices ?? Uint32Array.from({ length: examples.count }, (_, index) => index);
  if (isArrayOf("Int32Array", examples.labels)) {
    const accuracy = majorityShare(examples.labels, examples.count, indices);
    if (accuracy === undefined || measured.accuracy === undefined) return undefined;
    // Where all examples are of one class, nothing can be better.
    const isNear = accuracy < 1 && measured.accuracy - accuracy < least * (1 - accuracy);
    return { accuracy, loss: undefined, examples: from, isNear };
  }
  const { constantLoss } = await import("./constant-loss.ts");
  const loss = await constantLoss(given.loss, examples, indices, given.runtime);
  if (loss === undefined || !(loss > 0)) return undefined;
  return { accuracy: undefined, loss, examples: from, isNear: measured.loss > (1 - least) * loss };
}

/** The share of the most frequent class among the labels that count. */
function majorityShare(labels: Int32Array, count: number, indices: Uint32Array): number | undefined {
  const perExample = labels.length / count;
  const tally = new Map<number, number>();
  let total = 0;
  for (const index of indices)
    for (let position = 0; position < perExample; position++) {
      const label = labels[index * perExample + position] as number;
      if (label < 0) continue;
      tally.set(label, (tally.get(label) ?? 0) + 1);
      total++;
    }
  return total === 0 ? undefined : Math.max(...tally.values()) / total;
}

type Measured = Pick<Evaluation, "loss" | "accuracy">;

/** Compares a finished run with guessing: on its test examples, or else on those set aside for validation. */
export async function guessingOf(
  { test, ...options }: Pick<RunOptions, "test" | "examples" | "validation">,
  { loss, runtime }: Pick<Objective, "loss" | "runtime">,
  measured: {
    readonly test: Measured | undefined;
    readonly validation: Measured | undefined;
    /** Of the validation examples. */
    readonly indices: Uint32Array;
  },
): Promise<Guessing | undefined> {
  if (test && measured.test)
    return compareWithGuessing(measured.test, { examples: test, from: "test", loss, runtime });
  const { validation, indices } = measured;
  const examples = validationOf(options);
  return (
    validation && compareWithGuessing(validation, { examples, indices, from: "validation", loss, runtime })
  );
}
