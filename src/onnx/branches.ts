import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
} from "onnx-buf";
import { decodeNode, type Model } from "./decode.ts";
import type { Node } from "./graph.ts";
import { withFields } from "./message.ts";
import { renamedNode } from "./rename.ts";

/** Ops with graphs inside, which read values of the graph around them without naming them as inputs. */
export const controlFlowOps: ReadonlySet<string> = new Set(["If", "Loop", "Scan", "SequenceMap"]);

/** The values that decide which branches of the model's If nodes run. */
export function conditionsOf(model: Model): string[] {
  return model.nodes.flatMap((node) => (isIf(node) ? node.inputs.slice(0, 1) : []));
}

/**
 * The model with the branch that is taken in place of each If node whose condition is known. Exporters write such nodes
 * for choices that the shapes make, such as `squeeze` of an axis of open size.
 *
 * @param conditions the known ones, by the names of their values
 */
export function takeBranches(model: Model, conditions: ReadonlyMap<string, boolean>): Model {
  const { graph } = model.proto;
  const taken = new Map(
    (graph?.node ?? []).flatMap((stored) => {
      const condition = stored.opType === "If" ? conditions.get(stored.input[0] ?? "") : undefined;
      const name = condition ? "then_branch" : "else_branch";
      const branch = stored.attribute.find((attribute) => attribute.name === name)?.g;
      return condition === undefined
        ? []
        : [[stored.output.join(), branch ? branchNodes(stored, branch) : []] as const];
    }),
  );
  if (!graph || taken.size === 0) return model;
  const node = graph.node.flatMap((stored) => taken.get(stored.output.join()) ?? stored);
  const nodes = model.nodes.flatMap(
    (each) =>
      taken.get(each.outputs.join())?.map((stored) => decodeNode(stored, model.source, model.limits)) ?? each,
  );
  // What the file says of the shapes between was written for both branches at once.
  const proto = withFields(model.proto, { graph: withFields(graph, { node, valueInfo: [] }) });
  return { ...model, proto, nodes };
}

function isIf({ op, domain }: Node): boolean {
  return op === "If" && domain === "";
}

/** A branch as nodes of the graph around it; names of nodes and values get that of the If node in front. */
function branchNodes({ name, output }: NodeProto, branch: GraphProto): NodeProto[] {
  const place = name || (output[0] ?? "");
  const names = new Map<string, string>();
  const stored = branch.initializer.map((tensor) => constant(tensor.name, tensor));
  const inner = [...stored, ...branch.node];
  for (const value of inner.flatMap((node) => node.output))
    if (value !== "") names.set(value, `${place}/${value}`);
  const results = branch.output.map((result) => names.get(result.name) ?? result.name);
  const copies = output.flatMap((wanted, index) =>
    wanted === ""
      ? []
      : [
          create(NodeProtoSchema, {
            opType: "Identity",
            input: results.slice(index, index + 1),
            output: [wanted],
          }),
        ],
  );
  const moved = inner.map((node) => {
    const own = node.name === "" ? "" : `${place}/${node.name}`;
    return withFields(renamedNode(node, names), { name: own });
  });
  return [...moved, ...copies];
}

function constant(name: string, t: AttributeProto["t"]): NodeProto {
  const attribute = [create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t })];
  return create(NodeProtoSchema, { opType: "Constant", output: [name], attribute });
}
