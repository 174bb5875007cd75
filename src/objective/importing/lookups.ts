/** What a model looks up in its tables: which whole numbers its inputs may hold, and how many positions it knows. */
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { describeNode, type Node } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { Tensor } from "../../onnx/tensor.ts";

/** A node that looks rows of a stored table up. */
interface Lookup {
  readonly node: Node;
  readonly rows: number;
  /** The input whose numbers it takes; undefined where they count positions. */
  readonly input: string | undefined;
}

/** Ops that hand numbers on, in other types, shapes, or fewer of them. */
const passing = /^(Cast|Reshape|Squeeze|Unsqueeze|Flatten|Identity|Expand|Transpose|Slice|DequantizeLinear)$/;

/**
 * Refuses numbers that a table has no row for.
 *
 * @param exampleAt the number of the example that a position of the values belongs to
 */
export type LookupCheck = (values: Float32Array, exampleAt: (position: number) => number) => void;

/**
 * The checks of a model's inputs, by their names.
 *
 * @param shape of one example
 * @throws DataError for examples of more positions than a table has
 */
export function lookupChecks(model: Model, shape: readonly number[]): Map<string, LookupCheck> {
  const least = new Map<string, Lookup>();
  for (const lookup of lookupsOf(model)) {
    const { node, rows, input } = lookup;
    const [length = 0] = shape;
    if (input === undefined && shape.length === 1 && length > rows) throw tooLong(model, node, rows, length);
    if (input !== undefined && rows < (least.get(input)?.rows ?? Number.POSITIVE_INFINITY))
      least.set(input, lookup);
  }
  return new Map([...least].map(([name, lookup]) => [name, checkOf(model, lookup, name)]));
}

function checkOf({ source }: Model, { node, rows }: Lookup, name: string): LookupCheck {
  return (values, exampleAt) => {
    const wrong = values.findIndex((value) => value >= rows || value < -rows);
    if (wrong === -1) return;
    throw new DataError(
      words`${source}: input '${name}' of example ${exampleAt(wrong)} holds ${values[wrong]}, and ${describeNode(node)} looks it up in a
        table of ${rows} rows; expected numbers up to ${rows - 1}. Where these are tokens, the model knows another vocabulary: give its own
        tokenizer (${option("tokenizer")}).`,
      { source },
    );
  };
}

function tooLong({ source }: Model, node: Node, rows: number, length: number): DataError {
  return new DataError(
    words`${source}: the examples have ${length} positions, and the model knows ${rows} (${describeNode(node)}); cut the texts
      (${option("maxLength", rows)}).`,
    { source },
  );
}

function lookupsOf({ nodes, initializers, inputs }: Model): Lookup[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const names = new Set(inputs.map(({ name }) => name));
  /** The value that is handed on to this one. */
  const origin = (name: string): string => {
    const maker = makers.get(name);
    return maker && passing.test(maker.op) ? origin(maker.inputs[0] ?? "") : name;
  };
  return nodes.flatMap((node): Lookup[] => {
    const isLookup = node.op === "Gather" || node.op === "GatherBlockQuantized";
    if (!isLookup || axisOf(node) !== 0) return [];
    const table = initializers.get(origin(node.inputs[0] ?? ""));
    const [rows] = table?.shape ?? [];
    if (!table || rows === undefined || table.shape.length !== 2) return [];
    const from = origin(node.inputs[1] ?? "");
    if (names.has(from)) return [{ node, rows, input: from }];
    // 0, 1, 2, … stored or counted, as exporters write the positions of absolute embeddings.
    const maker = makers.get(from);
    const stored = initializers.get(from) ?? maker?.attributes.value?.value;
    const isCounted = isTensor(stored) ? stored.shape.at(-1) === rows : maker?.op === "Range";
    return isCounted && countsFromStart(maker, makers) ? [{ node, rows, input: undefined }] : [];
  });
}

function axisOf({ attributes, op }: Node): number {
  const axis = attributes[op === "Gather" ? "axis" : "gather_axis"];
  return typeof axis?.value === "number" ? axis.value : 0;
}

/** Whether a Range goes from a constant, so that what it counts are positions. */
function countsFromStart(maker: Node | undefined, makers: ReadonlyMap<string, Node>): boolean {
  const start = maker && makers.get(maker.inputs[0] ?? "");
  return start === undefined || start.op === "Constant";
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "shape" in value;
}
