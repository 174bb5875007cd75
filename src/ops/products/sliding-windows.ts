/** How the windows of convolutions and pools slide over an image. */
import { formatShape } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { intAttribute, intsAttribute, type NodeView, stringAttribute } from "../view.ts";

/**
 * How a window slides along one spatial axis: output position o and window position w meet input position
 * o·stride + w·dilation − before.
 */
export interface SlidingWindow {
  /** Size of the input along the axis. */
  readonly input: number;
  /** Size of the output along the axis. */
  readonly output: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding in front of the input. */
  readonly before: number;
  /** Padding behind the input. */
  readonly behind: number;
  /**
   * Padding behind the last position that a window covers; where it is negative, so many positions at the end of the input
   * are covered by no window.
   */
  readonly after: number;
}

/**
 * The windows of a convolution or a pooling over the axes of input 0 from the third on, from the attributes `strides`,
 * `dilations`, `pads`, `auto_pad` and `ceil_mode`.
 *
 * @param sizes size of the window along each axis
 * @throws where a list has another length, or no window fits: names the node and the shapes
 */
export function slidingWindows(node: NodeView, sizes: readonly number[]): SlidingWindow[] {
  const spatial = (node.inputs[0]?.shape ?? []).slice(2);
  const strides = listed(node, "strides", spatial, sizes, 1);
  const dilations = listed(node, "dilations", spatial, sizes, 1);
  const pads = listed(node, "pads", [...spatial, ...spatial], sizes, 0);
  const isCeil = intAttribute(node.node, "ceil_mode", 0) === 1;
  return spatial.map((input, axis) => {
    const size = sizes[axis] as number;
    const stride = strides[axis] as number;
    const dilation = dilations[axis] as number;
    const span = (size - 1) * dilation + 1;
    const [before, behind] = padding(node, axis, pads, { input, span, size, stride });
    const steps = (input + before + behind - span) / stride;
    let output = (isCeil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that would start behind the input and the front padding is left out.
    if (isCeil && (output - 1) * stride >= input + before) output -= 1;
    if (output < 1) {
      throw nodeError(
        node.node,
        `a window of ${span} positions does not fit into ${input + before + behind} ` +
          `(axis ${axis + 2} of ${formatShape(node.inputs[0]?.shape ?? [])} with its padding); give it larger inputs, ` +
          "smaller kernels or more padding.",
      );
    }
    return {
      input,
      output,
      size,
      stride,
      dilation,
      before,
      behind,
      after: (output - 1) * stride + span - before - input,
    };
  });
}

function padding(
  node: NodeView,
  axis: number,
  pads: readonly number[],
  { input, span, size, stride }: Pick<SlidingWindow, "input" | "size" | "stride"> & { readonly span: number },
): [before: number, after: number] {
  const mode = stringAttribute(node.node, "auto_pad", "NOTSET");
  if (mode === "VALID") return [0, 0];
  if (mode === "NOTSET") return [pads[axis] as number, pads[axis + pads.length / 2] as number];
  const total = (Math.ceil(input / stride) - 1) * stride + span - input;
  const before = Math.trunc((mode === "SAME_UPPER" ? total : total + 1) / 2);
  if (span !== size || before < 0) {
    throw nodeError(
      node.node,
      `with ${span === size ? `stride ${stride} over a kernel of ${size}` : "dilations"}, ` +
        `ONNX Runtime pads ${mode} in another way than ONNX says; export it with explicit pads.`,
    );
  }
  return [before, total - before];
}

function listed(
  node: NodeView,
  name: string,
  axes: readonly number[],
  sizes: readonly number[],
  fallback: number,
): readonly number[] {
  const values = intsAttribute(node.node, name) ?? axes.map(() => fallback);
  if (values.length === axes.length && axes.length % sizes.length === 0) return values;
  throw nodeError(
    node.node,
    `its kernel ${formatShape(sizes)} and its ${name} ${formatShape(values)} do not fit ` +
      `the input ${formatShape(node.inputs[0]?.shape ?? [])}; each spatial axis needs its entries.`,
  );
}

/**
 * The windows of a transposed convolution, which slide over its output: `input` is the size of the node's output and
 * `output` that of its input 0. The attributes `output_padding` and `output_shape` count as well.
 *
 * @param sizes size of the window along each axis
 */
export function transposedWindows(node: NodeView, sizes: readonly number[]): SlidingWindow[] {
  const spatial = (node.inputs[0]?.shape ?? []).slice(2);
  const strides = listed(node, "strides", spatial, sizes, 1);
  const dilations = listed(node, "dilations", spatial, sizes, 1);
  const pads = listed(node, "pads", [...spatial, ...spatial], sizes, 0);
  const extra = listed(node, "output_padding", spatial, sizes, 0);
  const wanted = intsAttribute(node.node, "output_shape")?.slice(-spatial.length);
  const mode = stringAttribute(node.node, "auto_pad", "NOTSET");
  const isPadded = mode !== "VALID";
  return spatial.map((output, axis) => {
    const size = sizes[axis] as number;
    const stride = strides[axis] as number;
    const dilation = dilations[axis] as number;
    const covered = (output - 1) * stride + (size - 1) * dilation + 1;
    const full = covered + (extra[axis] as number);
    const target = wanted?.[axis] ?? (mode.startsWith("SAME") ? output * stride : undefined);
    let before = isPadded ? (pads[axis] as number) : 0;
    let behind = isPadded ? (pads[axis + spatial.length] as number) : 0;
    if (target !== undefined) {
      const total = Math.max(0, full - target);
      before = mode === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      behind = total - before;
    }
    const input = wanted ? (target as number) : full - before - behind;
    if (input < 1) {
      throw nodeError(
        node.node,
        `its padding removes all ${full} positions along axis ${axis + 2} of its output; ` +
          "lower the padding.",
      );
    }
    return { input, output, size, stride, dilation, before, behind, after: covered - before - input };
  });
}

/** The attributes that make a ConvTranspose the transpose of sliding these windows. */
export function transposedAttributes(windows: readonly SlidingWindow[]) {
  return {
    ...slidingAttributes(windows),
    output_padding: windows.map(({ after }) => Math.max(0, -after)),
  };
}

/** The attributes that make a Conv slide these windows. */
export function slidingAttributes(windows: readonly SlidingWindow[]) {
  return {
    strides: windows.map(({ stride }) => stride),
    dilations: windows.map(({ dilation }) => dilation),
    pads: [...windows.map(({ before }) => before), ...windows.map(({ after }) => Math.max(0, after))],
  };
}
