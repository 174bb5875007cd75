import { ModelError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Tensor } from "../../onnx/tensor.ts";

/** The numbers of a stored tensor that are NaN or infinite, in words; undefined where there are none. */
export function notFiniteIn(name: string, { dtype, shape, data }: Tensor): string | undefined {
  if (dtype !== "float32" && dtype !== "float64") return undefined;
  const numbers = data as Float32Array;
  let [count, first] = [0, -1];
  for (let index = 0; index < numbers.length; index++) {
    if (Number.isFinite(numbers[index])) continue;
    if (count === 0) first = index;
    count++;
  }
  if (count === 0) return undefined;
  const position: number[] = [];
  let rest = first;
  for (const size of [...shape].reverse()) {
    position.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return (
    `'${name}' [${shape.join(", ")}] holds ${count} ${count === 1 ? "number that is" : "numbers that are"} NaN or infinite, ` +
    `the first at [${position.join(", ")}] (${numbers[first]})`
  );
}

/** Whether numbers that are added hide by −∞ and otherwise change nothing. */
export function isMask({ data }: Tensor): boolean {
  const numbers = data as Float32Array;
  return (
    numbers.includes(Number.NEGATIVE_INFINITY) &&
    numbers.every((value) => value === 0 || value === Number.NEGATIVE_INFINITY)
  );
}

/** @throws when one of these tensors, which are to be trained, holds NaN or infinite numbers: names it, how many and the first */
export function refuseNotFinite(source: string, parameters: Readonly<Record<string, Tensor>>): void {
  const found = Object.entries(parameters).flatMap(([name, tensor]) => notFiniteIn(name, tensor) ?? []);
  if (found.length === 0) return;
  const more = found.length > 3 ? `; and ${found.length - 3} more such tensors` : "";
  throw new ModelError(
    words`${source}: ${found.slice(0, 3).join("; ")}${more}. Such weights give no loss that could be trained: export
      the model from a checkpoint before they arose, or keep these tensors out of training (${option("frozen")}) if the
      output does not need them.`,
    { source },
  );
}
