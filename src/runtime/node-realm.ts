/** onnxruntime-node in the realm of the process, which Jest's tests do not share. */
import { runInThisContext } from "node:vm";
import * as imported from "onnxruntime-node";
import type { TensorData } from "../onnx/tensor.ts";

/** The realm's constructors of typed arrays, by their names. */
type Constructors = Readonly<
  Record<string, new (buffer: ArrayBufferLike, offset: number, length: number) => TensorData>
>;

/**
 * A test runner such as Jest runs modules in a realm of its own, whose typed arrays are not those that native code
 * makes, and the engine's JavaScript only takes arrays of the realm that it was loaded in.
 */
const processRealm = runInThisContext("globalThis") as Constructors & { readonly process: NodeJS.Process };
const isForeign = (processRealm.Float32Array as unknown) !== Float32Array;

/** The environment that native code reads; Jest's own is a copy. */
export const processEnvironment = processRealm.process.env;

/** ONNX Runtime, loaded in the process's own realm. */
export const ort: typeof imported = isForeign ? loadedOutside() : imported;

function loadedOutside(): typeof imported {
  const { createRequire } = runInThisContext(`process.getBuiltinModule("node:module")`) as {
    createRequire(from: string): (name: string) => typeof imported;
  };
  return createRequire(import.meta.url)("onnxruntime-node");
}

/** The same memory as an array of the process's realm, which the engine takes. */
export function forEngine(data: TensorData): TensorData {
  return isForeign ? inRealm(processRealm, data) : data;
}

/** The same memory as an array of this module's realm. */
export function fromEngine(data: TensorData): TensorData {
  return isForeign ? inRealm(globalThis as unknown as Constructors, data) : data;
}

function inRealm(realm: Constructors, data: TensorData): TensorData {
  const ArrayType = realm[data[Symbol.toStringTag]];
  if (!ArrayType) throw new Error(`The realm has no ${data[Symbol.toStringTag]}.`);
  return new ArrayType(data.buffer, data.byteOffset, data.length);
}
