/** The tensors that one estimator leaves where its runtime computes. */
import { gradientName } from "../ad/names.ts";
import type { Differentiable } from "../objective/objective.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Residence, Tensors } from "../runtime/runtime.ts";
import { gradientBuffers } from "./estimator.ts";
import type { GradientOutputs } from "./product.ts";

/** Held tensors that are released together. */
export class HeldSet {
  readonly residence: Residence;
  readonly #tensors = new Set<Tensor>();

  constructor(residence: Residence) {
    this.residence = residence;
  }

  hold({ dtype, shape }: Pick<Tensor, "dtype" | "shape">): Tensor {
    const tensor = this.residence.hold(dtype, shape);
    this.#tensors.add(tensor);
    return tensor;
  }

  /** One like each of these. */
  all(tensors: Tensors): Tensors {
    return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, this.hold(tensor)]));
  }

  /** Gradients: by the names of a graph's outputs, and by parameter. */
  gradients(objective: Pick<Differentiable, "parameters">): {
    readonly outputs: Tensors;
    readonly byParameter: Tensors;
  } {
    const outputs = this.all(gradientBuffers(objective).tensors);
    const names = Object.keys(objective.parameters);
    return {
      outputs,
      byParameter: Object.fromEntries(names.map((name) => [name, outputs[gradientName(name)] as Tensor])),
    };
  }

  /** The outputs that are written into held tensors. */
  namesOf(outputs: Tensors): string[] {
    return Object.entries(outputs).flatMap(([name, tensor]) => (this.#tensors.has(tensor) ? [name] : []));
  }

  release(): void {
    this.residence.release(this.#tensors);
  }
}

/** A graph's gradients, all of which stay. */
export function heldOutputs(
  residence: Residence,
  objective: Pick<Differentiable, "parameters">,
  graph: Graph,
): GradientOutputs {
  const set = new HeldSet(residence);
  const { outputs, byParameter } = set.gradients(objective);
  return {
    ...{ graph, tensors: outputs, gradients: {} },
    held: { gradients: byParameter, memory: {} },
    release: () => set.release(),
  };
}
