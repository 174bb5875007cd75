/** Descents of one function from one point, one for each method, along estimates from the same tangents. */
import { type FunctionName, functions, type TestFunction } from "forwardgrad/studies";
import { drawTangents, estimate, type MethodName, methods, type Pair } from "./estimates.ts";

/** Where one method is, and where it was. */
export interface Walker {
  readonly method: MethodName;
  /** From the start to where it is. */
  readonly trail: Pair[];
}

/** All methods' descents. */
export class Descents {
  readonly fn: TestFunction;
  readonly #seed: number;
  readonly k: number;
  steps = 0;
  walkers: readonly Walker[];

  constructor(fn: FunctionName, k: number, seed: number, start?: Pair) {
    this.fn = functions[fn];
    this.k = k;
    this.#seed = seed;
    const from = start ?? this.fn.view.start;
    this.walkers = methods.map((method) => ({ method, trail: [from] }));
  }

  /** The tangents of the next step, the same for all. */
  tangents(): Pair[] {
    return drawTangents(this.#seed, this.steps, this.k);
  }

  value([x, y]: Pair): number {
    return this.fn.evaluate(Float64Array.of(x, y));
  }

  gradient([x, y]: Pair): Pair {
    const gradient = new Float64Array(2);
    this.fn.evaluate(Float64Array.of(x, y), gradient);
    return [gradient[0] ?? 0, gradient[1] ?? 0];
  }

  at({ trail }: Walker): Pair {
    return trail.at(-1) ?? [0, 0];
  }

  /** θ ← θ − η ĝ for each; what is no longer finite stays where it was. */
  step(): void {
    const tangents = this.tangents();
    const { learningRates } = this.fn.view;
    for (const walker of this.walkers) {
      const from = this.at(walker);
      const [gx, gy] = estimate(walker.method, tangents, this.gradient(from));
      const rate = walker.method === "exact" ? learningRates.exact : learningRates.estimate;
      const to: Pair = [from[0] - rate * gx, from[1] - rate * gy];
      if (Number.isFinite(this.value(to))) walker.trail.push(to);
    }
    this.steps++;
  }
}
