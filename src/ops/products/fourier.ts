/** Fourier transforms, of a whole axis or of windows of a signal. */
import { int, type Node, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, int64, type Tensor, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { reshape, transpose } from "../rules.ts";
import { arange, normalizeAxis, required, requiredConstant, sizeOf } from "../shapes.ts";
import { intAttribute, type NodeView } from "../view.ts";

/**
 * X_m = Σₙ x_n e^(∓2πi·nm/L), the inverse divided by L; real and imaginary part on the last axis. As one product with a
 * constant matrix: L² operations, which for the lengths that models use a matrix kernel does fast.
 */
export const DFT: Op = {
  shape: (node) => {
    const { axis, bins, parts } = transformOf(node);
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape: [...shape.slice(0, -1).with(axis, bins), parts] }];
  },
  defaults: { inverse: int(0), onesided: int(0) },
  lower: (g, node) => [transformed(g, required(node, 0), transformOf(node))],
  // The axis became an input in opset 20.
  upgrade: (node, opset, constant) => {
    if (opset >= 20) return node;
    const { axis, ...attributes } = node.attributes;
    const value = axis?.type === "int" ? axis.value : 1;
    const [input = "", length = ""] = node.inputs;
    return { ...node, attributes, inputs: [input, length, constant(axisTensor(value))] };
  },
};

/**
 * Fourier transforms of windows of a signal [batch, length, 1 or 2] that begin `frame_step` positions apart: [batch, windows,
 * bins, 2].
 */
export const STFT: Op = {
  shape: (node) => {
    const { frames, transform } = framesOf(node);
    const { dtype, shape } = required(node, 0);
    return [{ dtype, shape: [shape[0] as number, frames, transform.bins, transform.parts] }];
  },
  defaults: { onesided: int(1) },
  lower: (g, node) => {
    const signal = required(node, 0);
    const { frames, step, transform } = framesOf(node);
    const { length } = transform;
    const positions = arange(frames * length).map(
      (index) => Math.floor(index / length) * step + (index % length),
    );
    const windows = g.gather(signal, g.constant(int64(positions, [frames, length])), { axis: 1 });
    const weights = node.inputs[2];
    const weighted = weights ? g.mul(windows, reshape(g, weights, [length, 1])) : windows;
    return [transformed(g, weighted, transform)];
  },
};

/** The sizes of an STFT node. */
function framesOf(node: NodeView): {
  readonly frames: number;
  readonly step: number;
  readonly transform: Transform;
} {
  const { shape } = required(node, 0);
  const [step = 0] = requiredConstant(node, 1, "frame_step");
  const weights = node.inputs[2];
  const length = node.inputs[3]
    ? (requiredConstant(node, 3, "frame_length")[0] ?? 0)
    : (weights?.shape[0] ?? 0);
  const [parts, size = 0] = [shape[2] ?? 0, shape[1]];
  const isOneSided = intAttribute(node.node, "onesided", 1) === 1;
  const isWindow = !weights || (weights.shape.length === 1 && weights.shape[0] === length);
  const fits = shape.length === 3 && (parts === 1 || (parts === 2 && !isOneSided));
  if (!fits || !isWindow || !(step > 0) || !(length > 0 && length <= size)) {
    throw nodeError(
      node.node,
      `its signal [${shape.join(", ")}] does not fit windows of ${length} every ${step} samples` +
        `${weights ? ` with weights [${weights.shape.join(", ")}]` : ""}; expected [batch, length, 1] of real numbers, or ` +
        "[batch, length, 2] of complex ones that are not one-sided, at least one window long.",
    );
  }
  const bins = isOneSided ? Math.floor(length / 2) + 1 : length;
  const sizes = { inputs: length, inputParts: parts, bins, parts: 2 };
  return {
    frames: Math.floor((size - length) / step) + 1,
    step,
    transform: { axis: 2, length, isInverse: false, toReal: false, ...sizes },
  };
}

/** A Fourier transform along one axis. */
interface Transform {
  readonly axis: number;
  readonly length: number;
  readonly isInverse: boolean;
  /** From one half of a spectrum to real numbers. */
  readonly toReal: boolean;
  /** Size of the axis before. */
  readonly inputs: number;
  /** 1 for real numbers, 2 for complex ones. */
  readonly inputParts: number;
  /** Size of the axis after. */
  readonly bins: number;
  readonly parts: number;
}

/** The transform as a product with its matrix. */
function transformed(g: Emitter, x: Value, transform: Transform): Value {
  const { axis, bins, parts } = transform;
  const rank = x.shape.length;
  // The transformed axis goes beside the parts.
  const others = arange(rank - 1).filter((other) => other !== axis);
  const order = [...others, axis, rank - 1];
  const sizes = others.map((other) => sizeOf(x, other));
  const width = sizeOf(x, axis) * sizeOf(x, -1);
  const rows = reshape(g, transpose(g, x, order), [elementCount(sizes), width]);
  const matrix = g.constant(tensorOf(x.dtype, fourierMatrix(transform), [width, bins * parts]));
  const product = reshape(g, g.matMul(rows, matrix), [...sizes, bins, parts]);
  const inverse = order.map((_, other) => order.indexOf(other));
  return transpose(g, product, inverse);
}

function axisTensor(axis: number): Tensor {
  return tensorOf("int64", [axis], []);
}

/** The sizes of a DFT node, of either form. */
function transformOf(node: NodeView): Transform {
  const { shape } = required(node, 0);
  const parts = shape.at(-1) as number;
  const isInverse = intAttribute(node.node, "inverse", 0) === 1;
  const isOneSided = intAttribute(node.node, "onesided", 0) === 1;
  const given = node.inputs[2] ? requiredConstant(node, 2, "axis")[0] : axisAttribute(node.node);
  const axis = normalizeAxis(given ?? -2, shape.length, node);
  const size = shape[axis] as number;
  const toReal = isInverse && isOneSided;
  const length = node.inputs[1]
    ? (requiredConstant(node, 1, "dft_length")[0] ?? size)
    : toReal
      ? 2 * (size - 1)
      : size;
  const fits = parts === 2 || (parts === 1 && !toReal);
  if (!fits || axis === shape.length - 1 || !(length > 0) || (isOneSided && !isInverse && parts !== 1)) {
    throw nodeError(
      node.node,
      `its input [${shape.join(", ")}] does not fit a ${isOneSided ? "one-sided " : ""}` +
        `${isInverse ? "inverse " : ""}transform of length ${length} along axis ${given}; expected [batch, …, 1] of real ` +
        "numbers (always, for a one-sided one) or [batch, …, 2] of complex ones, and an axis before the last.",
    );
  }
  const half = Math.floor(length / 2) + 1;
  return {
    axis,
    length,
    isInverse,
    toReal,
    inputs: size,
    inputParts: parts,
    bins: isOneSided && !isInverse ? half : length,
    parts: toReal ? 1 : 2,
  };
}

function axisAttribute(node: Node): number | undefined {
  const attribute = node.attributes.axis;
  return attribute?.type === "int" ? attribute.value : undefined;
}

/** [inputs · their parts, bins · parts]; inputs beyond the length do not count, missing ones are 0. */
function fourierMatrix(transform: Transform): Float64Array {
  const { length, isInverse, toReal, inputs, inputParts, bins, parts } = transform;
  const matrix = new Float64Array(inputs * inputParts * bins * parts);
  const known = Math.min(inputs, toReal ? Math.floor(length / 2) + 1 : length);
  for (let n = 0; n < known; n++) {
    // Of a one-sided spectrum, all but the middle stand for two.
    const isMiddle = n === 0 || 2 * n === length;
    const scale = (toReal && !isMiddle ? 2 : 1) / (isInverse ? length : 1);
    for (let m = 0; m < bins; m++) {
      // (a + bi)(cos θ + i sin θ), with the multiple of a whole turn taken out before it costs digits.
      const angle = ((isInverse ? 2 : -2) * Math.PI * ((n * m) % length)) / length;
      const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
      const rows = [
        [cos, sin],
        [-sin, cos],
      ];
      for (let from = 0; from < inputParts; from++)
        for (let to = 0; to < parts; to++)
          matrix[((n * inputParts + from) * bins + m) * parts + to] = rows[from]?.[to] ?? 0;
    }
  }
  return matrix;
}
