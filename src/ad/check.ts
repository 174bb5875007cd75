/** Checks derivative rules against differences and against each other. */
import { type Graph, getValue, initializersToInputs, type Value } from "../onnx/graph.ts";
import { type DType, elementCount, isFloat, type Tensor } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { upgradeGraph } from "../ops/full-upgrade.ts";
import { isFactored } from "../ops/op.ts";
import { reshape, stacked, withInfinities } from "../ops/rules.ts";
import { keepUsedInputs } from "./gradient.ts";
import { gradientName, linearName } from "./names.ts";
import { transposeLinear } from "./pullback.ts";
import { pushforward } from "./pushforward.ts";

/** Runs a graph once: feeds by input name, results by output name. */
export type Evaluate = (
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
) => Promise<Readonly<Record<string, Tensor>>>;

/** What `checkDerivatives` needs: an engine, a point, and how closely to look. */
export interface DerivativeCheck {
  /** Runs graphs; in float64 wherever the engine can. */
  readonly evaluate: Evaluate;
  /** Values of the graph's inputs. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Inputs and initializers to differentiate with respect to; default: all float ones. */
  readonly wrt?: readonly string[];
  /** Number of tangents. Default 3. */
  readonly tangents?: number;
  /** Step of the central differences. Default 1e-5 for float64, 1e-2 for float32. */
  readonly step?: number;
}

/** How far a graph's derivatives are from finite differences, and its transpose from its forward derivative. */
export interface DerivativeReport {
  /** ‖Jv − finite difference‖ / ‖Jv‖ over all outputs and tangents (absolute where ‖Jv‖ < 1). */
  readonly forwardError: number;
  /** |⟨u, Jv⟩ − ⟨Jᵀu, v⟩| / (‖u‖‖Jv‖), the same way: whether the transpose is the adjoint of the forward derivative. */
  readonly transposeError: number;
  /** Jv by output name: [k, ...shape]. */
  readonly derivatives: Readonly<Record<string, Tensor>>;
}

/**
 * Checks the derivative rules that a graph uses: forward derivatives against central differences, and the transpose
 * against the forward derivatives. Give it your own graph before you trust a training run.
 *
 * @example
 * const { forwardError } = await checkDerivatives(graph, { evaluate, feeds: { x: float64([1, 2]) } });
 * @throws when an op has no derivative rule, or the engine cannot run a graph
 */
export async function checkDerivatives(graph: Graph, options: DerivativeCheck): Promise<DerivativeReport> {
  const moved = [...graph.initializers.keys()].filter((name) => options.wrt?.includes(name));
  const open = initializersToInputs(graph, moved);
  const lowered = upgradeGraph(open);
  const feeds = {
    ...options.feeds,
    ...Object.fromEntries(moved.map((name) => [name, graph.initializers.get(name) as Tensor])),
  };
  const wrt = options.wrt ?? graph.inputs.filter((input) => isFloat(input.dtype)).map((input) => input.name);
  const k = options.tangents ?? 3;
  const outputs = graph.outputs.filter((value) => isFloat(value.dtype));
  const dtype = getValue(graph, wrt[0] as string).dtype;
  const step = options.step ?? (dtype === "float64" ? 1e-5 : 1e-2);

  const directions = Object.fromEntries(
    wrt.map((name, index) => [name, pattern(dtype, [k, ...getValue(graph, name).shape], index)]),
  );
  const tangentFeeds = Object.fromEntries(
    wrt.map((name) => [directionName(name), directions[name] as Tensor]),
  );
  const forward = await options.evaluate(forwardGraph(lowered, wrt, outputs, k), {
    ...feeds,
    ...tangentFeeds,
  });
  const derivatives = Object.fromEntries(
    outputs.map((value) => [value.name, forward[derivativeName(value.name)] as Tensor]),
  );

  const differences = await centralDifferences(open, options.evaluate, feeds, directions, outputs, k, step);
  const analytic = outputs.flatMap((value) => Array.from(derivatives[value.name]?.data as Float64Array));
  const size = Math.max(norm(analytic), 1);
  const forwardError = norm(analytic.map((value, index) => value - (differences[index] as number))) / size;

  const covectors = Object.fromEntries(
    outputs.map((value, index) => [value.name, pattern(value.dtype, value.shape, index + 7)]),
  );
  const covectorFeeds = Object.fromEntries(
    outputs.map((value) => [cotangentName(value.name), covectors[value.name] as Tensor]),
  );
  const backward = await options.evaluate(backwardGraph(lowered, wrt, outputs), {
    ...feeds,
    ...covectorFeeds,
  });
  let transposeError = 0;
  for (let tangent = 0; tangent < k; tangent++) {
    const forwardProduct = outputs.reduce(
      (total, { name }) => total + dot(derivatives[name] as Tensor, tangent, covectors[name] as Tensor),
      0,
    );
    const backwardProduct = wrt.reduce(
      (total, name) =>
        total + dot(directions[name] as Tensor, tangent, backward[gradientName(name)] as Tensor),
      0,
    );
    transposeError = Math.max(transposeError, Math.abs(forwardProduct - backwardProduct) / size);
  }
  return { forwardError, transposeError, derivatives };
}

// Names of this check's own graphs.
const directionName = (input: string) => `direction/${input}`;
const derivativeName = (output: string) => `direction/${output}/out`;
const cotangentName = (output: string) => `cotangent/${output}`;

/** Outputs `direction/<output>/out` [k, ...shape] from inputs `direction/<name>`. */
function forwardGraph(graph: Graph, wrt: readonly string[], outputs: readonly Value[], k: number): Graph {
  const g = new GraphBuilder("check/forward", graph);
  const seeds = new Map(
    wrt.map((name) => {
      const { dtype, shape } = getValue(graph, name);
      return [name, g.input(directionName(name), dtype, [k, ...shape])];
    }),
  );
  const tangents = pushforward(g, graph, seeds);
  const results = outputs.map(({ name, dtype, shape }) => {
    const tangent = tangents.get(name);
    const known = tangent && withInfinities(g, stacked(g, tangent, shape));
    return [derivativeName(name), known ?? g.expand(g.scalar(dtype, 0), [k, ...shape])] as const;
  });
  return g.build(Object.fromEntries(results));
}

/** Outputs `gradient/<name>` from inputs `cotangent/<output>`. */
function backwardGraph(graph: Graph, wrt: readonly string[], outputs: readonly Value[]): Graph {
  const g = new GraphBuilder("check/backward", graph);
  const seeds = new Map(
    wrt.map((name) => {
      const { dtype, shape } = getValue(graph, name);
      return [name, g.input(linearName(name), dtype, [1, ...shape])];
    }),
  );
  const tangents = pushforward(g, graph, seeds);
  const cotangents = new Map<string, Value>();
  for (const { name, dtype, shape } of outputs) {
    const cotangent = g.input(cotangentName(name), dtype, shape);
    const tangent = tangents.get(name);
    if (tangent && !isFactored(tangent)) cotangents.set(tangent.name, reshape(g, cotangent, tangent.shape));
  }
  const gradients = transposeLinear(
    g,
    g.snapshot(),
    new Set([...seeds.values()].map((seed) => seed.name)),
    cotangents,
  );
  const results = wrt.map((name) => {
    const { dtype, shape } = getValue(graph, name);
    const gradient = gradients.get(linearName(name));
    return [
      gradientName(name),
      gradient ? withInfinities(g, reshape(g, gradient, shape)) : g.expand(g.scalar(dtype, 0), shape),
    ] as const;
  });
  return keepUsedInputs(g.build(Object.fromEntries(results)), new Set());
}

async function centralDifferences(
  graph: Graph,
  evaluate: Evaluate,
  feeds: Readonly<Record<string, Tensor>>,
  directions: Readonly<Record<string, Tensor>>,
  outputs: readonly Value[],
  k: number,
  step: number,
): Promise<number[]> {
  const moved = (tangent: number, distance: number) =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => {
        const direction = directions[name];
        return [name, direction ? shift(tensor, direction, tangent, distance) : tensor];
      }),
    );
  const byOutput = outputs.map((): number[] => []);
  for (let tangent = 0; tangent < k; tangent++) {
    const ahead = await evaluate(graph, moved(tangent, step));
    const behind = await evaluate(graph, moved(tangent, -step));
    outputs.forEach(({ name }, index) => {
      const [high, low] = [ahead[name]?.data as Float64Array, behind[name]?.data as Float64Array];
      for (let position = 0; position < high.length; position++)
        byOutput[index]?.push(((high[position] as number) - (low[position] as number)) / (2 * step));
    });
  }
  return byOutput.flat();
}

function shift(tensor: Tensor, direction: Tensor, tangent: number, distance: number): Tensor {
  const size = tensor.data.length;
  const data = (tensor.data as Float64Array).slice();
  const along = direction.data as Float64Array;
  for (let index = 0; index < size; index++)
    data[index] = (data[index] as number) + distance * (along[tangent * size + index] as number);
  return { ...tensor, data };
}

/** Spread-out numbers in [−1, 1], the same on every run: fractions of multiples of the golden ratio. */
function pattern(dtype: DType, shape: readonly number[], offset: number): Tensor {
  const count = elementCount(shape);
  const numbers = Array.from({ length: count }, (_, index) => {
    const multiple = (index + 1 + 31 * offset) * 0.6180339887498949;
    return 2 * (multiple - Math.floor(multiple)) - 1;
  });
  return {
    dtype,
    shape,
    data: dtype === "float64" ? Float64Array.from(numbers) : Float32Array.from(numbers),
  };
}

function dot(stacked: Tensor, row: number, other: Tensor): number {
  const [a, b] = [stacked.data as Float64Array, other.data as Float64Array];
  let total = 0;
  for (let index = 0; index < b.length; index++)
    total += (a[row * b.length + index] as number) * (b[index] as number);
  return total;
}

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((total, value) => total + value * value, 0));
}
