/** `forwardgrad inspect`: a model as text, with the shape of every value. */
import type { Command } from "commander";
import { words } from "../../errors/words.ts";
import type { Limits } from "../../limits/limits.ts";
import { importWarnings } from "../../objective/importing/import-warnings.ts";
import { formatShape } from "../../onnx/graph.ts";
import { printModel } from "../../onnx/print.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { SymbolicType } from "../../ops/symbolic-types.ts";
import { loadModel } from "../../storage/node-model.ts";
import { addLimitOption } from "../flags/options.ts";
import { print, printJson, say } from "../output.ts";
import { findTypes } from "../shown-types.ts";

export function addInspectCommand(program: Command): void {
  const command = program
    .command("inspect")
    .description("print an ONNX model as readable text, with the shape of every value")
    .argument("<model.onnx>", "the model")
    .option("--json", "print one JSON object on stdout", false)
    .addHelpText("after", "\nExamples:\n  forwardgrad inspect runs/latest/model.onnx");
  addLimitOption(command).action(
    async (path: string, flags: { readonly json: boolean; readonly limit?: Partial<Limits> }) => {
      const model = loadModel(path, flags.limit);
      const found = await findTypes(model);
      const types = new Map([...found.types].map(([name, type]) => [name, shown(type)]));
      if (flags.json) printJson(asData(model, types));
      else print(...printModel(model, types).trimEnd().split("\n"));
      for (const warning of [...found.warnings, ...importWarnings(model)]) say(words`warning: ${warning}`);
    },
  );
}

/** "float32 [batch, 10]" */
function shown({ dtype, dimensions }: SymbolicType): string {
  return `${dtype} ${formatShape(dimensions)}`;
}

function asData(model: Model, types: ReadonlyMap<string, string>) {
  return {
    name: model.name,
    opset: model.opset,
    inputs: model.inputs,
    outputs: model.outputs,
    initializers: [...model.initializers].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    nodes: model.nodes.map(({ name, op, domain, inputs, outputs }) => ({
      name,
      op,
      domain,
      inputs,
      outputs: outputs.map((output) => ({ name: output, type: types.get(output) })),
    })),
  };
}
