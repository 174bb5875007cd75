import { readFileSync } from "node:fs";
import { type DType, type Tensor, tensorOf } from "../src/onnx/tensor.ts";

/** A tensor as the golden files keep it. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
  readonly dtype?: string;
}

export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`goldens/${name}`, import.meta.url), "utf8")) as T;
}

export function fromGolden(golden: GoldenTensor, dtype: DType = "float32"): Tensor {
  return tensorOf(golden.dtype === "int64" ? "int64" : dtype, golden.data, golden.shape);
}
