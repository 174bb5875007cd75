import type { Command } from "commander";
import type { Model } from "../onnx/decode.ts";
import { formatShape } from "../onnx/graph.ts";
import { printModel } from "../onnx/print.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { probe } from "../runtime/probe.ts";
import { importWarnings } from "../train/import-warnings.ts";
import { loadModel } from "./load-model.ts";
import { print, printJson, say } from "./output.ts";

export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description("print an ONNX model as readable text, with the shape of every value")
    .argument("<model.onnx>", "the model")
    .option("--json", "print one JSON object on stdout", false)
    .addHelpText("after", "\nExamples:\n  forwardgrad inspect runs/latest/model.onnx")
    .action(async (path: string, flags: { readonly json: boolean }) => {
      const model = loadModel(path);
      const types = await shownTypes(model);
      if (flags.json) printJson(asData(model, types));
      else print(...printModel(model, types).trimEnd().split("\n"));
      for (const warning of importWarnings(model)) say(`warning: ${warning}`);
    });
}

/** Types of computed values; axes that follow the batch size are shown as "batch". */
async function shownTypes(model: Model): Promise<Map<string, string>> {
  const shown = new Map<string, string>();
  const runtime = nodeRuntime();
  try {
    const [small, large] = [
      await probe(model, runtime, { batch: 2 }),
      await probe(model, runtime, { batch: 3 }),
    ];
    for (const [name, { dtype, shape }] of small.values) {
      const other = large.values.get(name)?.shape ?? shape;
      const sizes = shape.map((size, axis) => {
        if (size === other[axis]) return size;
        return size % 2 === 0 && (other[axis] ?? 0) * 2 === size * 3
          ? size === 2
            ? "batch"
            : `${size / 2}·batch`
          : "?";
      });
      shown.set(name, `${dtype} ${formatShape(sizes)}`);
    }
  } catch {
    // A model that does not run by itself is still worth printing, without shapes.
  }
  return shown;
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
