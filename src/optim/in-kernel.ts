import { openKernel } from "../arrays/open-kernel.ts";
import { kernelBase64 } from "./kernel.generated.ts";
import type { AdaptiveRule, Arrays, MomentumRule, Optimizer } from "./optimizer.ts";

/** The WebAssembly module; kernel/kernel.ts describes its functions, which work on one piece at fixed places. */
interface Functions {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly pieceNumbers: { readonly value: number };
  readonly valuesAt: { readonly value: number };
  readonly gradientAt: { readonly value: number };
  readonly firstAt: { readonly value: number };
  readonly secondAt: { readonly value: number };
  descend(count: number, rate: number, decay: number): void;
  descendWithMomentum(count: number, rate: number, decay: number, momentum: number): void;
  descendAhead(count: number, rate: number, decay: number, momentum: number): void;
  adapt(
    count: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    decay: number,
    size: number,
    correction: number,
    keep: number,
  ): void;
}

/** The functions, and where the piece at hand goes. */
interface Kernel {
  readonly functions: Functions;
  readonly gradient: Float32Array;
  /** What is written as well: parameters, and state. */
  readonly written: readonly Float32Array[];
}

/**
 * The same optimizer, whose steps are computed by a WebAssembly module with vectors: the same numbers, bit for bit, in half to two
 * thirds of the time. Parameters, gradients and state stay in the arrays where they are, and are copied piece by piece.
 *
 * @returns the optimizer itself where it has no `rule`, or the engine no vectors
 */
export function inKernel(optimizer: Optimizer): Optimizer {
  const { rule } = optimizer;
  const kernel = rule && kernelWithPieces();
  if (!kernel) return optimizer;
  const update = "beta1" in rule ? adaptiveUpdate(kernel, rule) : momentumUpdate(kernel, rule);
  return { ...optimizer, update };
}

function kernelWithPieces(): Kernel | undefined {
  const functions = openKernel<Functions>(kernelBase64);
  // JavaScript computes the same.
  if (!functions) return undefined;
  const { memory, pieceNumbers, valuesAt, gradientAt, firstAt, secondAt } = functions;
  const viewAt = ({ value }: { readonly value: number }) =>
    new Float32Array(memory.buffer, value, pieceNumbers.value);
  return { functions, gradient: viewAt(gradientAt), written: [valuesAt, firstAt, secondAt].map(viewAt) };
}

function momentumUpdate(
  kernel: Kernel,
  { momentum, nesterov, weightDecay }: MomentumRule,
): Optimizer["update"] {
  const { functions } = kernel;
  const accelerate = nesterov ? functions.descendAhead : functions.descendWithMomentum;
  return (parameters, gradients, state, rate) => {
    for (const [name, values] of Object.entries(parameters)) {
      const gradient = gradientOf(gradients, name);
      if (!gradient) continue;
      const velocity = state[`velocity/${name}`];
      if (velocity)
        inPieces(kernel, [values, velocity], gradient, (count) =>
          accelerate(count, rate, weightDecay, momentum),
        );
      else inPieces(kernel, [values], gradient, (count) => functions.descend(count, rate, weightDecay));
    }
  };
}

function adaptiveUpdate(kernel: Kernel, rule: AdaptiveRule): Optimizer["update"] {
  const { beta1, beta2, epsilon, l2 } = rule;
  return (parameters, gradients, state, rate) => {
    const { size, correction, keep } = rule.begin(state, rate);
    for (const [name, values] of Object.entries(parameters)) {
      const gradient = gradientOf(gradients, name);
      const mean = state[`mean/${name}`];
      const square = state[`square/${name}`];
      if (!gradient || !mean || !square) continue;
      inPieces(kernel, [values, mean, square], gradient, (count) =>
        kernel.functions.adapt(count, beta1, beta2, epsilon, l2, size, correction, keep),
      );
    }
  };
}

function gradientOf(gradients: Arrays, name: string): Float32Array | undefined {
  return Object.hasOwn(gradients, name) ? gradients[name] : undefined;
}

/** Copies a piece after the other into the kernel, and what it wrote (parameters and state) back. */
function inPieces(
  kernel: Kernel,
  arrays: readonly Float32Array[],
  gradient: Float32Array,
  step: (count: number) => void,
): void {
  const { length } = kernel.gradient;
  for (let start = 0; start < gradient.length; start += length) {
    const end = Math.min(start + length, gradient.length);
    const count = end - start;
    kernel.gradient.set(gradient.subarray(start, end));
    const pieces = arrays.map((array) => array.subarray(start, end));
    pieces.forEach((piece, index) => {
      kernel.written[index]?.set(piece);
    });
    step(count);
    pieces.forEach((piece, index) => {
      const written = kernel.written[index] as Float32Array;
      piece.set(count === length ? written : written.subarray(0, count));
    });
  }
}
