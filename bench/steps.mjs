// Time of a whole training step of each estimator, next to bare MatMul sessions that do the same floating-point work,
// measured in turns in one run. Run with `npm run bench`; `--json` prints data instead of a table.
import {
  compileObjective,
  createEstimator,
  crossEntropy,
  encodeGraph,
  fold,
  GraphBuilder,
  keyFromSeed,
  mlp,
  sgd,
} from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";

const batch = 64;
const k = 16;
const runtime = nodeRuntime();
const widths = [256, 1024];
const estimators = [
  { name: "activations", settings: { perturb: "activations" } },
  { name: "weights, gaussian", settings: { perturb: "weights" } },
  { name: "weights, rademacher", settings: { perturb: "weights", sampler: "rademacher" } },
  { name: "weights, low-rank", settings: { perturb: "weights", sampler: "low-rank" } },
  { name: "exact gradient", settings: { gradient: "exact" } },
];

/** Matrix products [rows, inner] × [inner, columns], as often as `times` says, that an estimator cannot avoid. */
function products(name, sizes) {
  const layers = sizes.slice(1).map((columns, index) => ({ inner: sizes[index], columns }));
  const primal = layers.map((layer) => ({ rows: batch, ...layer, times: 1 }));
  const carried = layers.slice(1).map((layer) => ({ rows: k * batch, ...layer, times: 1 }));
  if (name === "activations")
    return [
      ...primal,
      ...carried,
      ...layers.map(({ inner, columns }) => ({ rows: inner, inner: batch, columns, times: 1 })),
    ];
  if (name === "weights, low-rank") return [...primal, ...carried];
  if (name === "exact gradient") {
    const back = layers
      .slice(1)
      .map(({ inner, columns }) => ({ rows: batch, inner: columns, columns: inner, times: 1 }));
    return [
      ...primal,
      ...back,
      ...layers.map(({ inner, columns }) => ({ rows: inner, inner: batch, columns, times: 1 })),
    ];
  }
  // X·Ẇ of k tangents is one product with k·columns columns.
  return [
    ...primal,
    ...carried,
    ...layers.map(({ inner, columns }) => ({ rows: batch, inner, columns: k * columns, times: 1 })),
  ];
}

async function bareSessions(list) {
  return Promise.all(
    list.map(async ({ rows, inner, columns, times }) => {
      const g = new GraphBuilder("bare");
      const graph = g.build({
        c: g.matMul(g.input("a", "float32", [rows, inner]), g.input("b", "float32", [inner, columns])),
      });
      const session = await runtime.createSession(encodeGraph(graph));
      const random = (count) => Float32Array.from({ length: count }, () => Math.random() - 0.5);
      const feeds = {
        a: { dtype: "float32", shape: [rows, inner], data: random(rows * inner) },
        b: { dtype: "float32", shape: [inner, columns], data: random(inner * columns) },
      };
      const into = {
        c: { dtype: "float32", shape: [rows, columns], data: new Float32Array(rows * columns) },
      };
      return { times, operations: 2 * rows * inner * columns * times, run: () => session.run(feeds, into) };
    }),
  );
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const results = [];
for (const width of widths) {
  const sizes = [784, width, width, 10];
  const model = mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const input = {
    dtype: "float32",
    shape: [batch, 1, 28, 28],
    data: Float32Array.from({ length: batch * 784 }, () => Math.random()),
  };
  const labels = {
    dtype: "int64",
    shape: [batch],
    data: BigInt64Array.from({ length: batch }, (_, index) => BigInt(index % 10)),
  };
  const feeds = { ...objective.parameters, input, labels };
  const arrays = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { data }]) => [name, data]),
  );
  for (const { name, settings } of estimators) {
    const estimator = await createEstimator(objective, { tangents: k, ...settings });
    const bare = await bareSessions(products(name, sizes));
    const [steps, matmuls] = [[], []];
    for (let round = 0; round < (width > 512 ? 16 : 40); round++) {
      let start = performance.now();
      const { gradients } = await estimator.estimate(feeds, fold(keyFromSeed(1), round));
      sgd().update(arrays, gradients, {}, 1e-6);
      steps.push(performance.now() - start);
      start = performance.now();
      for (const { times, run } of bare) for (let repeat = 0; repeat < times; repeat++) await run();
      matmuls.push(performance.now() - start);
    }
    const operations = bare.reduce((total, product) => total + product.operations, 0);
    const [step, matmul] = [median(steps.slice(5)), median(matmuls.slice(5))];
    results.push({
      width,
      estimator: name,
      stepMilliseconds: step,
      matMulMilliseconds: matmul,
      ratio: step / matmul,
      gigaflops: operations / matmul / 1e6,
    });
    await estimator.release();
  }
}
if (process.argv.includes("--json")) console.log(JSON.stringify(results));
else {
  console.log(`batch ${batch}, k = ${k}, ${runtime.name}, ${runtime.threads} threads\n`);
  console.log("width  estimator             step ms   bare MatMul ms   ratio   GFLOP/s of the bare products");
  for (const row of results)
    console.log(
      `${String(row.width).padEnd(7)}${row.estimator.padEnd(22)}${row.stepMilliseconds.toFixed(2).padStart(7)}${row.matMulMilliseconds.toFixed(2).padStart(17)}${row.ratio.toFixed(1).padStart(8)}${row.gigaflops.toFixed(0).padStart(8)}`,
    );
}
