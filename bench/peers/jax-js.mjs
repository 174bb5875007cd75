// Forward gradients in jax-js (npm package @jax-js/jax), jit(vmap(jvp)) on WebAssembly, the one backend that it has in Node.
// JAX_JS_DIR is a folder in whose node_modules it is installed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { config, serve } from "./serve.mjs";

const folder = join(process.env.JAX_JS_DIR ?? ".", "node_modules/@jax-js/jax");
const jax = await import(pathToFileURL(join(folder, "dist/index.js")).href);
const { numpy: np, nn, random, grad, jit, jvp, vmap } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

const { width, batch, tangents: k } = config;
const sizes = [784, width, width, 10];
const learningRate = 1e-7;
const uniform = (shape, bound) => {
  const size = shape.reduce((product, side) => product * side, 1);
  return np.array(Float32Array.from({ length: size }, () => (2 * Math.random() - 1) * bound)).reshape(shape);
};
// Weights as [in, out], so that no transpose is needed.
let parameters = sizes.slice(1).flatMap((columns, index) => {
  const bound = 1 / Math.sqrt(sizes[index]);
  return [uniform([sizes[index], columns], bound), uniform([columns], bound)];
});
const shapes = parameters.map(({ shape }) => shape);
const x = uniform([batch, sizes[0]], 0.5);
const oneHot = nn.oneHot(
  np.array(
    Int32Array.from({ length: batch }, (_, b) => b % 10),
    { dtype: np.int32 },
  ),
  10,
);

/** Takes ownership of all it is given, as jax-js asks of functions. */
function lossOf(x, oneHot, ...parameters) {
  const [w1, b1, w2, b2, w3, b3] = parameters;
  const h1 = nn.relu(np.matmul(x, w1).add(b1));
  const h2 = nn.relu(np.matmul(h1, w2).add(b2));
  const logits = np.matmul(h2, w3).add(b3);
  return nn
    .logSoftmax(logits)
    .mul(oneHot)
    .sum()
    .mul(-1 / batch);
}

const along = (x, oneHot, parameters, tangents) =>
  vmap((...tangent) => {
    const primals = parameters.map((parameter) => parameter.ref);
    return jvp((...given) => lossOf(x.ref, oneHot.ref, ...given), primals, tangent)[1];
  })(...tangents);

const compiled = {
  derivatives: jit((x, oneHot, parameters, tangents) => {
    const derivatives = along(x, oneHot, parameters, tangents);
    for (const used of [x, oneHot, ...parameters]) used.dispose();
    return derivatives;
  }),
  gram: jit((tangents) =>
    tangents
      .map((tangent) => tangent.reshape([k, -1]))
      .map((flat) => np.matmul(flat.ref, np.transpose(flat)))
      .reduce((sum, product) => sum.add(product)),
  ),
  update: jit((parameters, tangents, coefficients) => {
    const updated = parameters.map((parameter, index) => {
      const flat = tangents[index].reshape([k, -1]);
      const gradient = np.matmul(coefficients.ref, flat).reshape(shapes[index]);
      return parameter.sub(gradient.mul(learningRate));
    });
    coefficients.dispose();
    return updated;
  }),
};

let steps = 0;
function drawTangents() {
  const keys = random.split(random.key(steps++), shapes.length);
  return shapes.map((shape, index) => random.normal(keys.ref.slice(index), [k, ...shape]));
}

const refs = (list) => list.map((array) => array.ref);
async function step() {
  const tangents = drawTangents();
  const derivatives = compiled.derivatives(x.ref, oneHot.ref, refs(parameters), refs(tangents));
  const coefficients = np.linalg.solve(compiled.gram(refs(tangents)), derivatives);
  parameters = compiled.update(parameters, tangents, coefficients);
  await jax.blockUntilReady(parameters);
}

/** Largest |d_i − ∇f·v_i| over the largest |d_i|. */
async function check() {
  const tangents = drawTangents();
  const derivatives = await compiled.derivatives(x.ref, oneHot.ref, refs(parameters), refs(tangents)).data();
  const exact = grad((parameters) => lossOf(x.ref, oneHot.ref, ...parameters))(refs(parameters));
  const products = exact.map((gradient, index) =>
    np.matmul(tangents[index].reshape([k, -1]), gradient.reshape([-1])),
  );
  const expected = await products.reduce((sum, product) => sum.add(product)).data();
  const errors = [...derivatives].map((value, i) => Math.abs(value - expected[i]));
  return Math.max(...errors) / Math.max(...expected.map(Math.abs));
}

const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
await serve(step, `jax-js ${version}`, await check());
