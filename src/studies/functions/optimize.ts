/** Gradient descent on a closed-form function, by forward gradients. */
import type { Aggregator } from "../../aggregate/aggregator.ts";
import { type AggregatorName, aggregators } from "../../aggregate/aggregators.ts";
import { SettingError } from "../../errors/errors.ts";
import { requireDimension, type TestFunction } from "../../functions/test-function.ts";
import { fillNormal } from "../../random/normal.ts";
import { fold, type Key, keyFromSeed } from "../../random/threefry.ts";
import { fixedAngle } from "../../tangents/fixed-angle.ts";
import { addGram } from "../../tangents/gram.ts";
import { rescale } from "../../tangents/pieces.ts";

/** How the gradient of a step comes about: exactly, or from the derivatives along k Gaussian tangents. */
export interface GradientMethod {
  /** exact, or how derivatives along tangents are combined. */
  readonly gradient: "exact" | AggregatorName;
  /** Number of tangents; 0 for the exact gradient. */
  readonly k: number;
  /** Degrees between the first tangent and each of the others, all of length 1; absent: independent and Gaussian. */
  readonly angle?: number;
}

/** What is minimized, how, and for how long. */
export interface DescentOptions {
  /** The function to minimize. */
  readonly fn: TestFunction;
  /** Dimension. */
  readonly n: number;
  /** Where the gradient of a step comes from. */
  readonly method: GradientMethod;
  /** η, the same in all steps. */
  readonly learningRate: number;
  /** Most steps. */
  readonly steps: number;
  /** Stops after so many steps in a row that did not lower the value; 0: never. Default 50. */
  readonly patience?: number;
  /** Decides the tangents; the same for all functions and aggregators. */
  readonly seed: number;
  /** Default: where the paper's experiments start. */
  readonly start?: Float64Array;
}

/** Why a descent ended: all steps done, no improvement, or values that are no longer finite. */
export type Ending = "steps" | "patience" | "diverged";

/** A descent under way, by plain gradient descent θ ← θ − η ĝ in float64. */
export interface Descent {
  /** Where it is, [n]; written anew by each step. */
  readonly x: Float64Array;
  /** The function's value at `x`. */
  readonly value: number;
  /** The lowest value so far, the start's included. */
  readonly best: number;
  /** Steps done. */
  readonly steps: number;
  /** Why it ended; undefined while it can go on. */
  readonly ending: Ending | undefined;
  /** Makes up to so many steps, fewer where it ends, and returns whether it can go on. */
  advance(count: number): boolean;
}

/**
 * Starts to minimize a test function. A directional derivative of a closed form is d_i = Σⱼ ∂f/∂xⱼ vᵢⱼ, what dual numbers
 * would give and the function's graph does give; everything after is what training does: Gram matrix, aggregator, V c.
 *
 * @throws when n, k or the seed is out of range
 */
export function startDescent(options: DescentOptions): Descent {
  const { fn, n, method, learningRate, steps, patience = 50, seed } = options;
  requireDimension(fn, n);
  const estimate = estimator(method, n, seed);
  const x = Float64Array.from(options.start ?? fn.start(n));
  const gradient = new Float64Array(n);
  let value = fn.evaluate(x, gradient);
  let best = value;
  let done = 0;
  let idle = 0;
  let ending: Ending | undefined;
  return {
    x,
    get value() {
      return value;
    },
    get best() {
      return best;
    },
    get steps() {
      return done;
    },
    get ending() {
      return ending;
    },
    advance(count) {
      for (let left = count; left > 0 && !ending; left--) {
        const direction = estimate(gradient, done);
        if (!direction) {
          ending = "diverged";
          break;
        }
        for (let j = 0; j < n; j++) x[j] = (x[j] as number) - learningRate * (direction[j] as number);
        const last = value;
        value = fn.evaluate(x, gradient);
        done += 1;
        if (value < best) best = value;
        idle = value < last ? 0 : idle + 1;
        if (!Number.isFinite(value)) ending = "diverged";
        else if (patience > 0 && idle >= patience) ending = "patience";
        else if (done >= steps) ending = "steps";
      }
      return ending === undefined;
    },
  };
}

/**
 * Minimizes a test function until it ends. @see startDescent
 *
 * @throws when n, k or the seed is out of range
 */
export function optimizeFunction(options: DescentOptions): Descent {
  const descent = startDescent(options);
  descent.advance(Number.POSITIVE_INFINITY);
  return descent;
}

/** From ∇f and the number of a step to ĝ; undefined where the derivatives are not finite. The array is written anew. */
type Estimate = (gradient: Float64Array, step: number) => Float64Array | undefined;

function estimator(method: GradientMethod, n: number, seed: number): Estimate {
  if (method.gradient === "exact") return (gradient) => gradient;
  const { k } = method;
  if (!Number.isSafeInteger(k) || k < 1) {
    throw new SettingError(`An estimate by '${method.gradient}' needs k ≥ 1 tangents, received k = ${k}.`, {
      option: "k",
    });
  }
  const aggregator: Aggregator = aggregators[method.gradient]();
  const draw = tangentSource(n, k, fold(fold(keyFromSeed(seed), n), k), method.angle);
  const padded = new Float64Array(4 * Math.ceil(k / 4));
  const derivatives = padded.subarray(0, k);
  const gram = new Float64Array(aggregator.usesGram ? k * k : 0);
  const coefficients = new Float64Array(k);
  const sum = new Float64Array(n);
  const context = { dimension: n };
  return (gradient, step) => {
    const rows = draw(step);
    if (!along(rows, k, gradient, padded)) return undefined;
    if (aggregator.usesGram) {
      gram.fill(0);
      addGram(gram, rows, k, n);
    }
    aggregator.aggregate(derivatives, gram, coefficients, context);
    combine(rows, coefficients, sum);
    return sum;
  };
}

/**
 * d = V ∇f, the first k of an array with room for a multiple of four; false where one is not finite. Four sums at once,
 * because each addition waits for the one before.
 */
function along(rows: Float32Array, k: number, gradient: Float64Array, padded: Float64Array): boolean {
  const n = gradient.length;
  const last = k - 1;
  let zero = 0;
  for (let i = 0; i <= last; i += 4) {
    const [a, b, c, d] = [
      i * n,
      Math.min(i + 1, last) * n,
      Math.min(i + 2, last) * n,
      Math.min(i + 3, last) * n,
    ];
    let sumA = 0;
    let sumB = 0;
    let sumC = 0;
    let sumD = 0;
    for (let j = 0; j < n; j++) {
      const slope = gradient[j] as number;
      sumA += (rows[a + j] as number) * slope;
      sumB += (rows[b + j] as number) * slope;
      sumC += (rows[c + j] as number) * slope;
      sumD += (rows[d + j] as number) * slope;
    }
    padded[i] = sumA;
    padded[i + 1] = sumB;
    padded[i + 2] = sumC;
    padded[i + 3] = sumD;
    // A finite number times 0 is 0.
    zero += (sumA + sumB + sumC + sumD) * 0;
  }
  return zero === 0;
}

/** ĝ = Vᵀ c, [n], two tangents at once. */
function combine(rows: Float32Array, coefficients: Float64Array, sum: Float64Array): void {
  const n = sum.length;
  sum.fill(0);
  for (let i = 0; i < coefficients.length; i += 2) {
    const weight = coefficients[i] as number;
    const other = coefficients[i + 1] ?? 0;
    const [a, b] = [i * n, i + 1 < coefficients.length ? (i + 1) * n : i * n];
    for (let j = 0; j < n; j++)
      sum[j] = (sum[j] as number) + weight * (rows[a + j] as number) + other * (rows[b + j] as number);
  }
}

/** Numbers that are drawn at once: a call costs as much as some hundred numbers. */
const blockNumbers = 4096;

/**
 * The tangents of each step, row-major [k, n]: number (step·k + i)·n + j of the stream is element j of tangent i, so that
 * one call can draw for several steps.
 */
function tangentSource(n: number, k: number, key: Key, angle?: number): (step: number) => Float32Array {
  const size = k * n;
  const stepsPerBlock = Math.max(1, Math.floor(blockNumbers / size));
  const block = new Float32Array(stepsPerBlock * size);
  const sets = Array.from({ length: stepsPerBlock }, (_, index) =>
    block.subarray(index * size, (index + 1) * size),
  );
  const pieces = sets.map((set) => Array.from({ length: k }, (_, i) => [set.subarray(i * n, (i + 1) * n)]));
  const arrange = angle === undefined ? undefined : fixedAngle({ degrees: angle }).arrange;
  let first = Number.NEGATIVE_INFINITY;
  return (step) => {
    if (step < first || step >= first + stepsPerBlock) {
      first = step;
      fillNormal(key, step * size, block);
      for (const tangents of arrange ? pieces : []) {
        for (const tangent of tangents) rescale(tangent, 1);
        arrange?.(tangents, key);
      }
    }
    return sets[step - first] as Float32Array;
  };
}
