import { create } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel, encodeTensor, modelMessage } from "../src/onnx/encode.ts";
import { serializeModel } from "../src/onnx/messages/serialize.ts";
import { float32, int64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const node = (opType: string, input: string[], output: string[]) =>
  create(NodeProtoSchema, { name: opType, opType, input, output });

function branch(name: string, nodes: NodeProto[], outputs: string[], stored: Record<string, Tensor> = {}) {
  const g = create(GraphProtoSchema, {
    name,
    node: nodes,
    initializer: Object.entries(stored).map(([key, tensor]) => encodeTensor(key, tensor)),
    output: outputs.map((output) => create(ValueInfoProtoSchema, { name: output })),
  });
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });
}

function choice(condition: string, output: string[], branches: ReturnType<typeof branch>[]): NodeProto {
  return create(NodeProtoSchema, { opType: "If", input: [condition], output, attribute: branches });
}

/** An imported model: product = x·w, isWide (true) and isEmpty (false) from the shape of x, and `nodes` from there to y. */
function modelWith(nodes: readonly NodeProto[]) {
  const g = new GraphBuilder("branches");
  const product = g.mul(g.input("x", "float32", [2, 3]), g.parameter("w", float32([0.5, -1, 2])));
  const proto = modelMessage(g.build({ y: g.exp(product) }));
  const { graph } = proto;
  if (!graph) throw new Error("no graph");
  const name = graph.node[0]?.output[0] ?? "";
  graph.initializer.push(encodeTensor("1", int64([1], [])));
  graph.node = [
    ...graph.node.slice(0, 1),
    node("Identity", [name], ["product"]),
    node("Shape", ["x"], ["shape"]),
    node("Gather", ["shape", "1"], ["width"]),
    node("Greater", ["width", "1"], ["isWide"]),
    node("Less", ["width", "1"], ["isEmpty"]),
    ...nodes,
  ];
  return decodeModel(serializeModel(proto), { source: "branches.onnx" });
}

const compile = (model: Parameters<typeof compileObjective>[0]["model"]) =>
  compileObjective({ model, loss: meanSquaredError(), runtime, batch: 2 });

async function derivativesOf(model: Parameters<typeof compileObjective>[0]["model"]) {
  const { graph, parameters } = await compile(model);
  const dual = derivativeGraph(graph, new Map([["w", "stacked"]]), 1, "losses");
  const found = await evaluate(runtime, dual, {
    ...parameters,
    x: float32([0.1, -0.4, 0.3, 0.9, 0.2, -0.7], [2, 3]),
    target: float32([0, 1, 2, 3, 4, 5], [2, 3]),
    "tangent/w": float32([1, -2, 0.5], [1, 3]),
  });
  return { graph, losses: [...floats(found.losses)], derivatives: [...floats(found.derivatives)] };
}

const floats = (tensor: Tensor | undefined) => tensor?.data as Float32Array;
const scale = { scale: float32([2]) };

/** y = scale·exp(product) + scale, by a branch in a branch; their other sides would be −product. */
const nested = [
  choice(
    "isWide",
    ["scaled", "shift"],
    [
      branch(
        "then_branch",
        [
          choice(
            "isEmpty",
            ["inner"],
            [
              branch("then_branch", [node("Neg", ["product"], ["result"])], ["result"]),
              branch("else_branch", [node("Exp", ["product"], ["result"])], ["result"]),
            ],
          ),
          node("Mul", ["inner", "scale"], ["outer"]),
        ],
        ["outer", "scale"],
        scale,
      ),
      branch(
        "else_branch",
        [node("Neg", ["product"], ["outer"]), node("Identity", ["scale"], ["copy"])],
        ["outer", "copy"],
        scale,
      ),
    ],
  ),
  node("Add", ["scaled", "shift"], ["y"]),
];

describe("a branch that the shapes choose", () => {
  it("stands for its If node, in branches too", async () => {
    const g = new GraphBuilder("plain");
    const product = g.mul(g.input("x", "float32", [2, 3]), g.parameter("w", float32([0.5, -1, 2])));
    const plain = await derivativesOf(g.build({ y: g.add(g.mul(g.exp(product), 2), 2) }));
    const found = await derivativesOf(modelWith(nested));
    expect(found.graph.nodes.map(({ op }) => op)).not.toContain("If");
    expect(found.graph.nodes.map(({ op }) => op)).not.toContain("Neg");
    expect(relativeError(found.losses, plain.losses)).toBeLessThan(1e-6);
    expect(relativeError(found.derivatives, plain.derivatives)).toBeLessThan(1e-6);
    expect(Math.hypot(...plain.derivatives)).toBeGreaterThan(0.1);
  });

  it("is left in the file that is saved", async () => {
    const model = modelWith(nested);
    const objective = await compile(model);
    const saved = decodeModel(encodeModel(objective.model, new Map([["w", float32([3, 4, 5])]])));
    expect(saved.proto.graph?.node).toEqual(model.proto.graph?.node);
    expect(saved.initializers.get("w")?.data).toEqual(new Float32Array([3, 4, 5]));
  });

  it("is no constant, although its condition is: it reads values around it", async () => {
    const nodes = [
      choice(
        "isWide",
        ["y"],
        [
          branch("then_branch", [node("Identity", ["product"], ["result"])], ["result"]),
          branch("else_branch", [node("Neg", ["product"], ["result"])], ["result"]),
        ],
      ),
    ];
    expect(Math.hypot(...(await derivativesOf(modelWith(nodes))).derivatives)).toBeGreaterThan(0.1);
  });

  it("but not one that data choose", async () => {
    const nodes = [
      node("ReduceSum", ["product"], ["sum"]),
      node("Cast", ["sum"], ["isPositive"]),
      choice(
        "isPositive",
        ["y"],
        [
          branch("then_branch", [node("Identity", ["product"], ["result"])], ["result"]),
          branch("else_branch", [node("Neg", ["product"], ["result"])], ["result"]),
        ],
      ),
    ];
    const cast = nodes[1];
    cast?.attribute.push(create(AttributeProtoSchema, { name: "to", type: AttributeType.INT, i: 9n }));
    nodes[0]?.attribute.push(
      create(AttributeProtoSchema, { name: "keepdims", type: AttributeType.INT, i: 0n }),
    );
    await expect(compile(modelWith(nodes))).rejects.toThrow(
      /If node 'y' .*control flow is not supported.*static control flow/s,
    );
  });
});
