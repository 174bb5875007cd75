/** Numbers of 16 bits: float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32). */
import { fromFloat16 } from "../arrays/float16.ts";
import { type HalfType, isHalf, type Tensor } from "./tensor.ts";

/** A tensor of 16-bit floats in float32, exactly; any other as it is. */
export function toSingle(tensor: Tensor): Tensor {
  const { dtype, shape, data } = tensor;
  if (!isHalf(dtype)) return tensor;
  if (dtype === "float16")
    return { dtype: "float32", shape, data: Float32Array.from(data as Uint16Array, fromFloat16) };
  const bits = Uint32Array.from(data as Uint16Array, (half) => half << 16);
  return { dtype: "float32", shape, data: new Float32Array(bits.buffer) };
}

/** A float32 tensor rounded to 16 bits, to nearest, ties to even; finite numbers stay finite. */
export function toHalf({ shape, data }: Tensor, dtype: HalfType): Tensor {
  const numbers = Float32Array.from(data as Float32Array);
  const rounded = dtype === "float16" ? numbers : new Uint32Array(numbers.buffer);
  return { dtype, shape, data: Uint16Array.from(rounded, dtype === "float16" ? toFloat16 : upperHalf) };
}

function toFloat16(value: number): number {
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (Number.isNaN(value)) return 0x7e00;
  if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  if (size >= 65504) return sign | 0x7bff;
  // The numbers below 2⁻¹⁴ lie as far apart as those from there to 2⁻¹³.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const steps = toEven(size / 2 ** (exponent - 10));
  return sign | (size < 2 ** -14 ? steps : ((exponent + 15) << 10) + steps - 1024);
}

/** The nearest whole number; of two equally near ones the even one. */
function toEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** The upper half of a float32's bits, rounded. */
function upperHalf(bits: number): number {
  const exponent = bits & 0x7f800000;
  if (exponent === 0x7f800000) return (bits >>> 16) | (bits & 0x7fffff ? 0x40 : 0);
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  // A finite number that would round to infinity is the largest one.
  return (rounded & 0x7fff) === 0x7f80 ? rounded - 1 : rounded;
}
