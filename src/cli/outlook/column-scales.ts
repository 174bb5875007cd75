/** Columns of a table on very different scales: what a model file reads of them, and what is said of it. */
import type { Dataset } from "../../data/dataset.ts";
import { columnWidth } from "../../data/files/columns.ts";
import { withStandardizedInput } from "../../objective/heads/standardized-input.ts";
import type { Model } from "../../onnx/read-model.ts";
import { say } from "../output.ts";

/** Deviations that differ by less do not keep a model from learning. */
const mostApart = 30;

/** The model with columns on one scale, where that is asked for; where it is not, and they are far apart, a warning says so. */
export async function onOneScale(
  model: Model,
  { columns, normalization }: Pick<Dataset, "columns" | "normalization">,
  { standardize, input }: { readonly standardize?: boolean; readonly input: string | undefined },
): Promise<Model> {
  if (!columns) return model;
  if (standardize) return withStandardizedInput(model, normalization, input);
  const read = input ?? model.inputs[0]?.name ?? "";
  const readers = model.nodes.filter(({ inputs }) => inputs.includes(read));
  if (readers.every(({ op }) => scaling.has(op))) return model;
  const deviations = [normalization.standardDeviation].flat();
  let at = 0;
  const numbers = columns.flatMap((column) => {
    const deviation = deviations[at] ?? 1;
    at += columnWidth(column);
    return column.kind === "number" ? [{ name: column.name, deviation }] : [];
  });
  const sorted = numbers.sort((a, b) => b.deviation - a.deviation);
  const [largest, smallest] = [sorted[0], sorted.at(-1)];
  if (!largest || !smallest || largest.deviation < mostApart * smallest.deviation) return model;
  const shown = ({ name, deviation }: typeof largest) =>
    `'${name}' varies by ${Number(deviation.toPrecision(3))}`;
  say(
    `warning: columns are on very different scales: ${shown(largest)}, ${shown(smallest)}. A model file reads them as they are, and ` +
      "hardly learns from the small ones; --standardize brings them to one scale inside of the model.",
  );
  return model;
}

/** What models begin with that bring their inputs to one scale. */
const scaling = new Set(["Sub", "Div", "Mul", "BatchNormalization", "LayerNormalization", "Scaler"]);
