/** Sampling images at the points of a grid, and summing sliding blocks into images. */
import { formatShape, int, type Node, string, type Value } from "../../onnx/graph.ts";
import { nodeError, unsupportedNode } from "../../onnx/node-error.ts";
import { elementCount, int64, tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { cast, reshape, sum, transpose } from "../rules.ts";
import { arange, required, requiredConstant } from "../shapes.ts";
import { intAttribute, type NodeView, stringAttribute } from "../view.ts";

/** θ · (positions, 1): where each position of an image of the given size [batch, channels, …] lies after an affine map. */
export const AffineGrid: Op = {
  shape: (node) => {
    const [batch = 0, ...positions] = gridSizes(node);
    return [{ dtype: required(node, 0).dtype, shape: [batch, ...positions, positions.length] }];
  },
  defaults: { align_corners: int(0) },
  lower: (g, node) => {
    const theta = required(node, 0);
    const [batch = 0, ...positions] = gridSizes(node);
    const isAligned = intAttribute(node.node, "align_corners", 0) === 1;
    const rows = homogeneousPositions(positions, isAligned);
    const base = g.constant(tensorOf(theta.dtype, rows, [1, elementCount(positions), positions.length + 1]));
    const moved = g.matMul(base, transpose(g, theta, [0, 2, 1]));
    return [reshape(g, moved, [batch, ...positions, positions.length])];
  },
};

/** [batch, …positions] of an AffineGrid node. */
function gridSizes(node: NodeView): number[] {
  const [batch = 0, , ...positions] = requiredConstant(node, 1, "size");
  const { shape } = required(node, 0);
  const expected = [batch, positions.length, positions.length + 1];
  if (formatShape(shape) !== formatShape(expected) || ![2, 3].includes(positions.length)) {
    throw nodeError(
      node.node,
      `theta has the shape ${formatShape(shape)}, expected [batch, 2, 3] for images or ` +
        "[batch, 3, 4] for volumes, and a size of [batch, channels, …] to match.",
    );
  }
  return [batch, ...positions];
}

/** (…, row, column) → (x, y, …, 1) with coordinates from −1 to 1, for all positions. */
function homogeneousPositions(sizes: readonly number[], isAligned: boolean): number[] {
  const coordinate = (index: number, size: number) => {
    if (!isAligned) return (2 * index + 1) / size - 1;
    return size > 1 ? (2 * index) / (size - 1) - 1 : 0;
  };
  const rows = sizes.reduce<number[][]>(
    (before, size) => before.flatMap((row) => arange(size).map((index) => [coordinate(index, size), ...row])),
    [[]],
  );
  return rows.flatMap((row) => [...row, 1]);
}

/**
 * Samples X [batch, channels, …positions] at grid [batch, …, d], whose last axis counts (x, y, …) from −1 to 1: linear
 * between the 2ᵈ nearest positions, cubic between the 4ᵈ nearest ones, or at the nearest one, which has no derivative by the
 * grid. Where a coordinate is clipped to the border, its derivative is 0; at whole positions it is that to the next position, as
 * in PyTorch.
 */
export const GridSample: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const grid = required(node, 1).shape;
    if (grid.length !== shape.length || grid.at(-1) !== shape.length - 2) {
      throw nodeError(
        node.node,
        `grid ${formatShape(grid)} does not fit X ${formatShape(shape)}; expected ` +
          "[batch, …, d] with d coordinates for the axes after the channels.",
      );
    }
    return [{ dtype, shape: [...shape.slice(0, 2), ...grid.slice(1, -1)] }];
  },
  defaults: { align_corners: int(0), mode: string("linear"), padding_mode: string("zeros") },
  lower: (g, node) => {
    const [x, grid] = [required(node, 0), required(node, 1)];
    const [batch = 0, channels = 0, ...sizes] = x.shape;
    const count = elementCount(grid.shape.slice(1, -1));
    const mode = stringAttribute(node.node, "mode", "linear");
    const between = interpolations[mode];
    if (!between) {
      throw unsupportedNode(
        node.node,
        `mode '${mode}' is not supported, expected linear, cubic or nearest; export with ` +
          "torch.nn.functional.grid_sample(…, mode='bilinear').",
      );
    }
    const flat = reshape(g, grid, [batch, count, sizes.length]);
    const axes = sizes.map((size, axis) => {
      const last = sizes.length - 1 - axis;
      const column = g.slice(flat, [last], [last + 1], [2]);
      const positions = positionsOf(g, node, reshape(g, column, [batch, 1, count]), size);
      return between(g, node, positions, size);
    });
    const corners = axes.reduce<Corner[][]>(
      (before, options) => before.flatMap((corner) => options.map((option) => [...corner, option])),
      [[]],
    );
    const image = reshape(g, x, [batch, channels, elementCount(sizes)]);
    const terms = corners.map((corner) => {
      // Row-major: the index along each axis times the sizes of those after it.
      const position = corner
        .map(({ index }) => index)
        .reduce((before, index, axis) => g.add(g.mul(before, sizes[axis] ?? 1), index));
      const weight = corner.map(({ weight }) => weight).reduce((product, factor) => g.mul(product, factor));
      const indices = g.expand(position, [batch, channels, count]);
      return g.mul(g.gatherElements(image, indices, { axis: 2 }), weight);
    });
    return [reshape(g, sum(g, terms) as Value, [batch, channels, ...grid.shape.slice(1, -1)])];
  },
};

/** One of the positions between which is interpolated along an axis: both [batch, 1, count]. */
interface Corner {
  /** int64, inside the image. */
  readonly index: Value;
  /** 0 where the position lies outside of the image. */
  readonly weight: Value;
}

/** Places along an axis, from coordinates in −1 to 1. */
function positionsOf(g: Emitter, node: NodeView, coordinates: Value, size: number): Value {
  const isAligned = intAttribute(node.node, "align_corners", 0) === 1;
  const scale = (isAligned ? size - 1 : size) / 2;
  return g.add(g.mul(coordinates, scale), (size - 1) / 2);
}

/** The padding modes that repeat the image move positions into it. */
function padded(g: Emitter, node: NodeView, positions: Value, size: number): Value {
  const isAligned = intAttribute(node.node, "align_corners", 0) === 1;
  const mode = stringAttribute(node.node, "padding_mode", "zeros");
  if (mode === "zeros") return positions;
  const clipped = (value: Value) => g.clip(value, 0, size - 1);
  if (mode === "border") return clipped(positions);
  // Reflected at the first and last position, or at the outer edges of both: a triangle wave, then clipped.
  const [low, span] = isAligned ? [0, size - 1] : [-0.5, size];
  if (span === 0) return g.mul(positions, 0);
  const distance = g.abs(g.sub(positions, low));
  const turns = g.floor(g.div(distance, 2 * span));
  const folded = g.sub(distance, g.mul(turns, 2 * span));
  const wave = g.sub(span, g.abs(g.sub(folded, span)));
  return clipped(g.add(wave, low));
}

/** The positions of the image that a position stands between. */
type Interpolation = (g: Emitter, node: NodeView, positions: Value, size: number) => Corner[];

/** The positions on both sides, with weights that fall linearly with the distance. */
const linear: Interpolation = (g, node, positions, size) => {
  const inside = padded(g, node, positions, size);
  const below = g.floor(inside);
  const upper = g.sub(inside, below);
  return [corner(g, below, g.sub(1, upper), size), corner(g, g.add(below, 1), upper, size)];
};

/** Two positions on either side; each of them is padded on its own. */
const cubic: Interpolation = (g, node, positions, size) => {
  const below = g.floor(positions);
  const beyond = g.sub(positions, below);
  return [-1, 0, 1, 2].map((offset) => {
    const position = padded(g, node, g.add(below, offset), size);
    const distance = offset > 0 ? g.sub(offset, beyond) : g.add(beyond, -offset);
    return corner(g, position, cubicWeight(g, distance, offset === 0 || offset === 1), size);
  });
};

/** Keys' kernel with a = −¾: 1 − (a+3)d² + (a+2)d³ up to a distance of 1, and a(d³ − 5d² + 8d − 4) from there to 2. */
function cubicWeight(g: Emitter, d: Value, isNear: boolean): Value {
  const a = -0.75;
  const [third, second, first, constant] = isNear ? [a + 2, -(a + 3), 0, 1] : [a, -5 * a, 8 * a, -4 * a];
  return [second, first, constant].reduce(
    (value: Value, coefficient = 0) => g.add(g.mul(value, d), coefficient),
    g.scalar(d.dtype, third ?? 0),
  );
}

const nearest: Interpolation = (g, node, positions, size) => [
  corner(g, g.round(padded(g, node, positions, size)), undefined, size),
];

const interpolations: Readonly<Record<string, Interpolation | undefined>> = {
  linear,
  bilinear: linear,
  cubic,
  bicubic: cubic,
  nearest,
};

function corner(g: Emitter, position: Value, weight: Value | undefined, size: number): Corner {
  const kept = g.clip(position, 0, size - 1);
  const isInside = cast(g, g.equal(position, kept), position.dtype);
  return { index: cast(g, kept, "int64"), weight: weight ? g.mul(weight, isInside) : isInside };
}

/** Sums the columns of sliding blocks [batch, channels · block, positions] into an image: the transpose of unfolding. */
export const Col2Im: Op = {
  shape: (node) => {
    const { batch, channels, image } = foldSizes(node);
    return [{ dtype: required(node, 0).dtype, shape: [batch, channels, ...image] }];
  },
  lower: (g, node) => {
    const x = required(node, 0);
    const { batch, channels, image, positions } = foldSizes(node);
    const [count, rows] = [elementCount(image), batch * channels];
    const columns = reshape(g, x, [rows, positions.length]);
    const indices = g.expand(g.constant(int64(positions, [1, positions.length])), columns.shape);
    // One position more, for what falls into the padding.
    const empty = g.expand(g.scalar(x.dtype, 0), [rows, count + 1]);
    const added = g.scatterElements(empty, indices, columns, { axis: 1, reduction: "add" });
    return [reshape(g, g.slice(added, [0], [count], [1]), [batch, channels, ...image])];
  },
};

/** Sizes of a Col2Im node, and the flat position of the image that each entry of its columns belongs to. */
function foldSizes(node: NodeView) {
  const { shape } = required(node, 0);
  const image = requiredConstant(node, 1, "image_shape");
  const block = requiredConstant(node, 2, "block_shape");
  const listed = (name: string, size: number, fallback: number) => listOf(node.node, name, size, fallback);
  const dilations = listed("dilations", image.length, 1);
  const strides = listed("strides", image.length, 1);
  const pads = listed("pads", 2 * image.length, 0);
  const steps = image.map((size, axis) => {
    const total = size + (pads[axis] ?? 0) + (pads[axis + image.length] ?? 0);
    return (
      Math.floor((total - (dilations[axis] ?? 1) * ((block[axis] ?? 1) - 1) - 1) / (strides[axis] ?? 1)) + 1
    );
  });
  const channels = (shape[1] ?? 0) / elementCount(block);
  if (shape.length !== 3 || shape[2] !== elementCount(steps) || !Number.isInteger(channels)) {
    throw nodeError(
      node.node,
      `its input ${formatShape(shape)} does not fit blocks of ${formatShape(block)} in an image ` +
        `of ${formatShape(image)}; expected [batch, channels · ${elementCount(block)}, ${elementCount(steps)}].`,
    );
  }
  const positions = positionsIn(block).flatMap((inside) =>
    positionsIn(steps).map((step) => {
      const index = image.map(
        (_, axis) =>
          (step[axis] ?? 0) * (strides[axis] ?? 1) +
          (inside[axis] ?? 0) * (dilations[axis] ?? 1) -
          (pads[axis] ?? 0),
      );
      const isInside = index.every((value, axis) => value >= 0 && value < (image[axis] ?? 0));
      return isInside
        ? index.reduce((flat, value, axis) => flat * (image[axis] ?? 1) + value, 0)
        : elementCount(image);
    }),
  );
  return { batch: shape[0] ?? 0, channels, image, positions };
}

function listOf(node: Node, name: string, size: number, fallback: number): readonly number[] {
  const attribute = node.attributes[name];
  return attribute?.type === "ints" ? attribute.value : Array.from({ length: size }, () => fallback);
}

/** All positions of a box, in row-major order. */
function positionsIn(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (before, size) => before.flatMap((row) => arange(size).map((index) => [...row, index])),
    [[]],
  );
}
