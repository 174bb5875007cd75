// Bare MatMul sessions: what the floating-point work of a step costs without anything else.
//
// A GEMM unit is one forward pass of one batch through all layers: 2·batch·n operations, n weights.
import { GraphBuilder } from "../dist/index.js";
import { encodeGraph } from "../dist/onnx.js";
import { randomTensor } from "./problem.mjs";

/**
 * Matrix products [rows, inner] × [inner, columns] that an estimator cannot avoid, for a fully connected network.
 *
 * @param kind dense or low-rank (weights), activations, exact
 */
export function unavoidableProducts(kind, { sizes, batch, k }) {
  const layers = sizes.slice(1).map((columns, index) => ({ inner: sizes[index], columns }));
  const primal = layers.map((layer) => ({ rows: batch, ...layer }));
  // Tangents of the first layer's input are zero.
  const carried = layers.slice(1).map((layer) => ({ rows: k * batch, ...layer }));
  const parameters = layers.map(({ inner, columns }) => ({ rows: inner, inner: batch, columns }));
  if (kind === "activations") return [...primal, ...carried, ...parameters];
  if (kind === "low-rank") return [...primal, ...carried];
  if (kind === "exact") {
    const back = layers
      .slice(1)
      .map(({ inner, columns }) => ({ rows: batch, inner: columns, columns: inner }));
    return [...primal, ...back, ...parameters];
  }
  // X·Ẇ of k tangents is one product with k·columns columns.
  return [
    ...primal,
    ...carried,
    ...layers.map((layer) => ({ ...layer, rows: batch, columns: k * layer.columns })),
  ];
}

/** A forward pass of 16 batches stacked, as tangents are carried: a sixteenth of its time is a GEMM unit. */
export const unitProducts = ({ sizes, batch }) =>
  sizes.slice(1).map((columns, index) => ({ rows: stacked * batch, inner: sizes[index], columns }));
const stacked = 16;

export const operationsOf = (products) =>
  products.reduce((total, { rows, inner, columns }) => total + 2 * rows * inner * columns, 0);

/** Products in GEMM units. */
export const unitsOf = (products, { sizes, batch }) =>
  (stacked * operationsOf(products)) / operationsOf(unitProducts({ sizes, batch }));

/** Compiles one session a product; `run` runs all of them. */
export async function bareProducts(products, runtime) {
  const sessions = await Promise.all(
    products.map(async ({ rows, inner, columns }) => {
      const g = new GraphBuilder("bare");
      const c = g.matMul(g.input("a", "float32", [rows, inner]), g.input("b", "float32", [inner, columns]));
      const session = await runtime.createSession(encodeGraph(g.build({ c })));
      const feeds = { a: randomTensor([rows, inner]), b: randomTensor([inner, columns], 1) };
      // Made once: to wrap a new tensor costs more than a small product.
      const into = {
        c: { dtype: "float32", shape: [rows, columns], data: new Float32Array(rows * columns) },
      };
      return { session, run: () => session.run(feeds, into) };
    }),
  );
  return {
    async run() {
      for (const { run } of sessions) await run();
    },
    release: () => Promise.all(sessions.map(({ session }) => session.release())),
  };
}

/** Compiles the products that a GEMM unit is timed with; `run` returns the milliseconds of one unit. */
export async function gemmUnit(problem, runtime) {
  const { run, release } = await bareProducts(unitProducts(problem), runtime);
  return {
    async run() {
      const start = performance.now();
      await run();
      return (performance.now() - start) / stacked;
    },
    release,
  };
}
