import { type Words, words } from "../errors/words.ts";
import { howToRaise, type Limits } from "../limits/limits.ts";
import { bytesPerElement, type DType, elementCount } from "./tensor.ts";

/** Why a value of this type is refused, in words that follow its shape; undefined where it is none too large. */
export function refusedSize(
  { dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] },
  limits: Limits,
): Words | string | undefined {
  if (shape.length > limits.rank) return words`has ${shape.length} axes; ${howToRaise("rank", limits)}`;
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0))
    return "has an impossible size; expected whole numbers from 0. The file is damaged.";
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  return bytes <= limits.valueBytes
    ? undefined
    : words`takes ${(bytes / 2 ** 30).toPrecision(3)} GiB. Use a smaller batch or smaller dimensions:
      ${howToRaise("valueBytes", limits)}`;
}
