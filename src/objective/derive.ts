import { derivativeGraph, type TangentForm } from "../ad/derivatives.ts";
import { reserved } from "../ad/names.ts";
import type { EncodeOptions } from "../onnx/encode.ts";
import { getValue, prune } from "../onnx/graph.ts";
import { encodeForRuntime } from "../runtime/evaluate.ts";
import { checkOptions } from "../settings/check.ts";
import { checkArgument } from "../settings/check-argument.ts";
import { requireOptions } from "../settings/needs.ts";
import { choice, toggle, whole } from "../settings/option.ts";
import type { Objective } from "./objective.ts";
import { differentiable } from "./objective-options.ts";

const deriveOptions = {
  tangents: whole(1, {}),
  lowRank: whole(1, {}),
  perExample: toggle({}),
  parameters: choice(["inputs", "initializers"], {}),
};

/** How a derivative graph is written as a file. */
export interface DeriveOptions {
  /** k */
  readonly tangents: number;
  /** Rank of factored tangents for parameters with two axes or more; default: all tangents stacked. */
  readonly lowRank?: number;
  /** True: `derivatives` [k, batch], of each example's own loss, instead of [k], of their mean. */
  readonly perExample?: boolean;
  /** Keeps the parameters' values in the file, as initializers that may be overridden. Default: plain inputs. */
  readonly parameters?: "inputs" | "initializers";
}

/**
 * The derivative graph of an objective as an ONNX file that any runtime can run.
 *
 * Inputs: the model's, `labels` or `target`, every parameter under its own name, and `tangent/<parameter>`
 * [k, ...shape] (or `tangent/<parameter>/left` [k, rows, r] and `/right` [k, columns, r]). Outputs: `loss`,
 * `derivatives`, and the model's own.
 *
 * @throws SettingError for an unknown option, with the nearest one, and for a wrong value; otherwise when nothing can be differentiated, or an op has no derivative rule
 */
export function deriveFile(objective: Objective, options: DeriveOptions): Uint8Array<ArrayBuffer> {
  checkArgument("deriveFile", differentiable, objective);
  checkOptions(deriveOptions, options, { of: "deriveFile" });
  requireOptions("deriveFile", deriveOptions, options, ["tangents"]);
  const { graph } = objective;
  const forms = new Map<string, TangentForm>(
    Object.entries(objective.parameters).map(([name, { shape }]) => [
      name,
      options.lowRank !== undefined && shape.length >= 2 ? { rank: options.lowRank } : "stacked",
    ]),
  );
  const derived = derivativeGraph(
    graph,
    forms,
    options.tangents,
    options.perExample ? reserved.losses : reserved.loss,
  );
  const own = graph.outputs.filter(({ name }) => name !== reserved.losses && name !== reserved.loss);
  const outputs = [reserved.loss, reserved.derivatives, ...own.map(({ name }) => name)].map((name) =>
    getValue(derived, name),
  );
  const wanted = prune(derived, outputs);
  if (options.parameters !== "initializers") return encodeForRuntime(wanted);
  const names = Object.keys(objective.parameters);
  const initializers = new Map([...wanted.initializers, ...Object.entries(objective.parameters)]);
  const inputs = wanted.inputs.filter((input) => !names.includes(input.name));
  const encoding: EncodeOptions = { overridable: names };
  return encodeForRuntime({ ...wanted, inputs, initializers }, encoding);
}
