import { create } from "@bufbuild/protobuf";
import type { AttributeProto, FunctionProto, ModelProto, NodeProto } from "onnx-buf";
import { ModelError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise, type Limits } from "../../limits/limits.ts";
import { withFields } from "../messages/message.ts";
import { AttributeType, NodeProtoSchema } from "../messages/schemas.ts";
import { definedNames, renamedNode } from "../rename.ts";

/**
 * The model with the body of each of its own functions in the place of the nodes that call it, as ONNX's own inliner has
 * it. Numbers that a function stores are stored once for all its calls, so that they stay one parameter.
 *
 * @param limits a few functions that call each other can unfold into any number of nodes
 * @throws when a function calls itself, or there are too many nodes; names the function
 */
export function inlineFunctions(proto: ModelProto, source: string, limits: Limits): ModelProto {
  const { graph } = proto;
  if (!graph || proto.functions.length === 0) return proto;
  const inliner = new Inliner(proto, source, limits);
  const node = inliner.inlined(graph.node, []);
  const used = new Set([...domainsOf(node), ""]);
  const imports = new Map(
    [...proto.functions.flatMap(({ opsetImport }) => opsetImport), ...proto.opsetImport]
      .filter(({ domain }) => used.has(defaultDomain(domain)))
      .map((entry) => [defaultDomain(entry.domain), entry]),
  );
  return withFields(proto, {
    functions: [],
    opsetImport: [...imports.values()],
    graph: withFields(graph, { node: [...inliner.stored.values(), ...node] }),
  });
}

class Inliner {
  /** Constant nodes of functions, by function and name, which all their calls share. */
  readonly stored = new Map<string, NodeProto>();
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #taken: Set<string>;
  readonly #source: string;
  readonly #limits: Limits;
  #nodes = 0;

  constructor({ functions, graph }: ModelProto, source: string, limits: Limits) {
    this.#functions = new Map(functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
    const outside = [...(graph?.input ?? []), ...(graph?.initializer ?? [])].map(({ name }) => name);
    this.#taken = new Set([...outside, ...definedNames(graph?.node ?? [])]);
    this.#source = source;
    this.#limits = limits;
  }

  /** @param calls the functions that lead here, outermost first */
  inlined(nodes: readonly NodeProto[], calls: readonly FunctionProto[]): NodeProto[] {
    return nodes.flatMap((node) => {
      this.#count(node.opType);
      const called = this.#functions.get(keyOf(node.domain, node.opType, node.overload));
      if (called) return this.inlined(this.#body(node, called, calls), [...calls, called]);
      const attribute = node.attribute.map((each) =>
        each.g
          ? withFields(each, { g: withFields(each.g, { node: this.inlined(each.g.node, calls) }) })
          : each,
      );
      return [withFields(node, { attribute })];
    });
  }

  /** The nodes of one call. */
  #body(call: NodeProto, called: FunctionProto, calls: readonly FunctionProto[]): NodeProto[] {
    if (calls.includes(called)) {
      const path = [...calls, called].map(({ name }) => `'${name}'`).join(", which calls ");
      throw new ModelError(
        `${this.#source}: the function '${called.name}' (domain '${called.domain}') calls itself: ${path}; functions of ` +
          "a model file must not be recursive.",
        { source: this.#source },
      );
    }
    const caller = call.name || call.output.find((name) => name !== "") || called.name;
    const names = new Map<string, string>();
    const inner: NodeProto[] = [];
    for (const node of called.node) {
      if (isStored(node)) names.set(node.output[0] ?? "", this.#store(node, called));
      else inner.push(node);
    }
    called.input.forEach((name, index) => {
      names.set(name, call.input[index] ?? "");
    });
    // What the call wants under a name of its own; a result may be an argument, a stored number, or wanted twice.
    const copies: NodeProto[] = [];
    const defined = new Set(inner.flatMap((node) => node.output));
    called.output.forEach((name, index) => {
      const wanted = call.output[index] ?? "";
      if (wanted === "") return;
      if (defined.has(name) && !names.has(name)) names.set(name, wanted);
      else
        copies.push(
          create(NodeProtoSchema, {
            name: `${caller}/${wanted}`,
            opType: "Identity",
            input: [name],
            output: [wanted],
          }),
        );
    });
    for (const name of definedNames(inner))
      if (!names.has(name)) names.set(name, this.#free(`${caller}/${name}`));
    const moved = inner.map((node) => {
      const own = node.name === "" ? "" : `${caller}/${node.name}`;
      return withFields(renamedNode(withAttributes(node, call, called), names), { name: own });
    });
    return [...moved, ...copies.map((copy) => renamedInput(copy, names))];
  }

  #store(node: NodeProto, { domain, name }: FunctionProto): string {
    const output = node.output[0] ?? "";
    const key = `${domain}.${name}/${output}`;
    const known = this.stored.get(key)?.output[0];
    if (known !== undefined) return known;
    const free = this.#free(key);
    this.stored.set(key, withFields(node, { name: free, output: [free] }));
    return free;
  }

  #free(wanted: string): string {
    let name = wanted;
    for (let counter = 2; this.#taken.has(name); counter++) name = `${wanted}_${counter}`;
    this.#taken.add(name);
    return name;
  }

  #count(what: string): void {
    if (++this.#nodes <= this.#limits.nodes) return;
    throw new ModelError(
      words`${this.#source}: its functions unfold into more than ${this.#limits.nodes.toLocaleString("en")} nodes (the
        last is a ${what} node); ${howToRaise("nodes", this.#limits)}`,
      { source: this.#source },
    );
  }
}

/** A node of a function's body with the numbers of a call in the place of attributes that refer to the call's. */
function withAttributes(node: NodeProto, call: NodeProto, called: FunctionProto): NodeProto {
  const given = new Map(
    [...called.attributeProto, ...call.attribute].map((attribute) => [attribute.name, attribute]),
  );
  const resolved = (inside: NodeProto): NodeProto => {
    const attribute = inside.attribute.flatMap((each): AttributeProto[] => {
      if (each.refAttrName !== "") {
        // Neither given nor with a default: the node goes without it.
        const value = given.get(each.refAttrName);
        return value ? [withFields(value, { name: each.name })] : [];
      }
      return [
        each.g ? withFields(each, { g: withFields(each.g, { node: each.g.node.map(resolved) }) }) : each,
      ];
    });
    return withFields(inside, { attribute });
  };
  return resolved(node);
}

/** Numbers with axes in the body itself, which do not depend on the call. */
function isStored({ opType, domain, attribute }: NodeProto): boolean {
  const [value] = attribute;
  if (opType !== "Constant" || defaultDomain(domain) !== "" || !value || value.refAttrName !== "")
    return false;
  return (
    value.type === AttributeType.FLOATS || (value.type === AttributeType.TENSOR && value.t?.dims.length !== 0)
  );
}

function renamedInput(copy: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  return withFields(copy, { input: copy.input.map((name) => names.get(name) ?? name) });
}

function domainsOf(nodes: readonly NodeProto[]): string[] {
  return nodes.flatMap(({ domain, attribute }) => [
    defaultDomain(domain),
    ...attribute.flatMap(({ g }) => (g ? domainsOf(g.node) : [])),
  ]);
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([defaultDomain(domain), name, overload]);
}

function defaultDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
