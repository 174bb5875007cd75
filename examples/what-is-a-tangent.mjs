// What is a tangent? A walk through the whole method on a function small enough to check by hand:
//
//     f(x, y) = x₁² y₁ + x₂² y₂        ∂f/∂x = 2xy        ∂f/∂y = x²
//
// Run it with: node examples/what-is-a-tangent.mjs
import { evaluate, float32, GraphBuilder, gaussian, keyFromSeed, projection } from "forwardgrad";
import {
  combine,
  createTangentSet,
  derivativeGraph,
  drawTangents,
  gram,
  tangentFeeds,
} from "forwardgrad/autodiff";
import { nodeRuntime } from "forwardgrad/node";

const row = (numbers) => [...numbers].map((number) => number.toFixed(3).padStart(8)).join("");
const product = (a, b) => a.reduce((total, number, place) => total + number * b[place], 0);

// f as an ONNX graph, as a model would be.
const g = new GraphBuilder("f");
const [x, y] = [g.input("x", "float32", [2]), g.input("y", "float32", [2])];
const [f] = g.node("ReduceSum", [g.mul(g.mul(x, x), y)], {}, { name: "f" });
const graph = g.build({ f });
const point = { x: [1, 2], y: [3, -1] };
const feeds = { x: float32(point.x, [2]), y: float32(point.y, [2]) };

// The gradient by hand: (2x₁y₁, 2x₂y₂, x₁², x₂²). Training has no such formula, which is why the rest is needed.
const gradient = [
  ...point.x.map((value, place) => 2 * value * point.y[place]),
  ...point.x.map((value) => value ** 2),
];
console.log(`The gradient, by hand          ${row(gradient)}\n`);

// A tangent v is a direction in which all inputs move together, here four numbers: two for x, two for y.
const shapes = [
  { name: "x", shape: [2] },
  { name: "y", shape: [2] },
];
const runtime = nodeRuntime({ threads: 1 });
for (const k of [1, 2, 3, 4]) {
  const tangents = createTangentSet(shapes, k, gaussian());
  drawTangents(tangents, keyFromSeed(7));
  const directions = Array.from({ length: k }, (_, tangent) =>
    tangents.parts.flatMap(({ tensor }) => [...tensor.data.subarray(2 * tangent, 2 * tangent + 2)]),
  );

  // The derivative graph computes f and d = ∇f·v for each tangent, in one forward pass: nothing is propagated backwards.
  const forms = new Map(shapes.map(({ name }) => [name, "stacked"]));
  const derived = derivativeGraph(graph, forms, k, "f");
  const { derivatives } = await evaluate(runtime, derived, { ...feeds, ...tangentFeeds(tangents) });

  // Which gradients fit these k numbers? Many. The projection takes the shortest: ĝ = V c with G c = d, G = V Vᵀ.
  const coefficients = new Float64Array(k);
  projection().aggregate(Float64Array.from(derivatives.data), gram(tangents), coefficients);
  const estimate = [...combine(tangents, coefficients).values()].flatMap((part) => [...part]);
  const cosine = product(estimate, gradient) / Math.hypot(...estimate) / Math.hypot(...gradient);

  console.log(`${k} tangent${k > 1 ? "s" : ""}`);
  for (const [tangent, v] of directions.entries())
    console.log(
      `  v${tangent + 1} =                         ${row(v)}   d = ${derivatives.data[tangent].toFixed(3)}, by hand ${product(gradient, v).toFixed(3)}`,
    );
  console.log(`  the projection on them       ${row(estimate)}   cosine ${cosine.toFixed(3)}\n`);
}
console.log("Each tangent adds what it sees of the gradient; four of them see all of it.");
