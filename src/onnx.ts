/**
 * Graphs and ONNX files: read, print, edit, write.
 *
 * @module forwardgrad/onnx
 */

export { defaultLimits, type Limits } from "./limits/limits.ts";
export { denormalize, normalize } from "./models/normalization.ts";
export type { HeadOptions } from "./objective/heads/head-options.ts";
export { withStandardizedInput } from "./objective/heads/standardized-input.ts";
export { withHead } from "./objective/heads/with-head.ts";
export { importWarnings } from "./objective/importing/import-warnings.ts";
export { type Binding, bindInputs, hasOpenBatch } from "./onnx/bind.ts";
export { type DecodeOptions, decodeModel } from "./onnx/decode.ts";
export { type EncodeOptions, encodeGraph, encodeModel } from "./onnx/encode.ts";
export {
  type Attribute,
  type Attributes,
  float,
  type Graph,
  initializersToInputs,
  int,
  ints,
  type Node,
  prune,
  string,
  type Value,
} from "./onnx/graph.ts";
export type { ReadExternal } from "./onnx/messages/external-data.ts";
export { metadataOf, withMetadata } from "./onnx/metadata.ts";
export { printModel, type ShownTypes } from "./onnx/print.ts";
export { printable } from "./onnx/printable.ts";
export { type Head, type Model, type ModelValue, supportedOpsets } from "./onnx/read-model.ts";
export { type DType, type Tensor, type TensorData, toNumbers } from "./onnx/tensor.ts";
export { probe } from "./runtime/probe.ts";
export { type NamedFile, openModel } from "./storage/open-model.ts";
export { decodeSafetensors, encodeSafetensors } from "./storage/safetensors.ts";
