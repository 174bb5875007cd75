/** Normalization of inputs and targets inside of a model. */
import { SettingError } from "../errors/errors.ts";
import type { Value } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import type { GraphBuilder } from "../ops/builder.ts";

/**
 * What a model subtracts from its raw inputs and divides them by: one number for all, or one for each entry along
 * the first axis of an example (a channel of an image, a column of a table).
 */
export interface Normalization {
  /** What is subtracted. */
  readonly mean: number | readonly number[];
  /** What the difference is divided by; above 0. */
  readonly standardDeviation: number | readonly number[];
}

/**
 * Emits (x − mean) / standardDeviation for x [batch, …]; numbers for each place broadcast along axis 1.
 *
 * @throws when there is not one number for each place, or a standard deviation is not above zero
 */
export function normalize(g: GraphBuilder, x: Value, { mean, standardDeviation }: Normalization): Value {
  const wrong = [standardDeviation].flat().find((value) => !(value > 0 && Number.isFinite(value)));
  if (wrong !== undefined) {
    throw new SettingError(
      `Normalization divides by standard deviations, which must be above 0; received ${wrong}. Leave constant inputs ` +
        "at 1.",
      { option: "standardDeviation" },
    );
  }
  return g.div(
    g.sub(x, alongPositions(g, x, "mean", mean)),
    alongPositions(g, x, "standardDeviation", standardDeviation),
  );
}

/** Emits x · standardDeviation + mean, the inverse of `normalize`. */
export function denormalize(g: GraphBuilder, x: Value, { mean, standardDeviation }: Normalization): Value {
  return g.add(
    g.mul(x, alongPositions(g, x, "standardDeviation", standardDeviation)),
    alongPositions(g, x, "mean", mean),
  );
}

function alongPositions(
  g: GraphBuilder,
  x: Value,
  what: string,
  values: number | readonly number[],
): Value | number {
  if (typeof values === "number") return values;
  const positions = x.shape[1];
  if (values.length !== positions && values.length !== 1) {
    throw new SettingError(
      `Normalization has ${values.length} numbers in '${what}' for the value '${x.name}' of shape ` +
        `[${x.shape.join(", ")}]; expected one for all, or ${positions ?? 1}, one for each entry along axis 1.`,
      { option: what },
    );
  }
  const shape = x.shape.slice(1).map((_, axis) => (axis === 0 ? values.length : 1));
  return g.constant(float32(values, shape));
}
