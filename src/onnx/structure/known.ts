/** What decides control flow and sequences, as far as it is known before a model runs. */
import type { NodeProto } from "onnx-buf";
import type { Limits } from "../../limits/limits.ts";
import type { Tensor } from "../tensor.ts";

/** What is known of a model before it runs; what is asked for and not known yet is noted. */
export interface Known {
  /** The file, for messages. */
  readonly source: string;
  readonly limits: Limits;
  /** Nodes that the model has so far. */
  readonly size: number;
  /** Names of a sequence's elements. */
  readonly sequences: Map<string, readonly string[]>;
  numbers(name: string): Tensor | undefined;
  shape(name: string): readonly number[] | undefined;
  /** How often a Loop runs. */
  iterations(loop: NodeProto): number | undefined;
}

/** What has been found out so far, by the names of values, for a Loop that of its first output. */
export interface Findings {
  readonly numbers: ReadonlyMap<string, Tensor>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly iterations: ReadonlyMap<string, number>;
  readonly sequences: Map<string, readonly string[]>;
}

/** What would help to replace more. */
export interface Wanted {
  readonly numbers: Set<string>;
  readonly shapes: Set<string>;
  readonly loops: Map<string, NodeProto>;
}
