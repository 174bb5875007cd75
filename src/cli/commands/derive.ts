/** `forwardgrad derive`: the derivative graph of a model as a file. */
import { basename, dirname } from "node:path";
import type { Command } from "commander";
import { tangentName } from "../../ad/names.ts";
import { words } from "../../errors/words.ts";
import type { Limits } from "../../limits/limits.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { deriveFile } from "../../objective/derive.ts";
import { fixedBatch } from "../../objective/importing/fixed-batch.ts";
import { hasOpenBatch } from "../../onnx/bind.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { loadModel } from "../../storage/node-model.ts";
import { runFolder } from "../../storage/node-run-folder.ts";
import { type TrainSettings, trainOptions } from "../../train/settings/options.ts";
import { chosenLoss } from "../flags/chosen-loss.ts";
import { addLimitOption, choice, wholeNumber } from "../flags/options.ts";
import { addSettingFlags, asOptions, settingsFrom } from "../flags/setting-flags.ts";
import { say } from "../output.ts";
import { requireFree } from "../output-file.ts";

const { loss, tangents, dimensions, trainable, fill } = trainOptions;
const settings = { loss, tangents, dimensions, trainable, fill };

interface DeriveFlags {
  readonly batch?: number;
  readonly lowRank?: number;
  readonly perExample: boolean;
  readonly parameters: "inputs" | "initializers";
  readonly prediction?: string;
  readonly output: string;
  readonly limit?: Partial<Limits>;
  readonly overwrite: boolean;
}

export function addDeriveCommand(program: Command): void {
  const command = program
    .command("derive")
    .description("write the derivative graph of a model and a loss as an ONNX file")
    .argument("<model.onnx>", "the model")
    .requiredOption("-o, --output <file>", "the ONNX file to write");
  addSettingFlags(addLimitOption(command), settings)
    .option("--batch <n>", "size of the batch axis, where the model leaves it open", wholeNumber(1))
    .option("--low-rank <r>", "take the tangents of matrices as factors of this rank", wholeNumber(1))
    .option("--per-example", "derivatives [k, batch] of each example's own loss", false)
    .addOption(
      choice("--parameters <kind>", "how the file takes the parameters", ["inputs", "initializers"]).default(
        "inputs",
      ),
    )
    .option("--prediction <name>", "output that the loss reads (default: the first float one)")
    .option("--overwrite", "replace the output file, whatever it is", false)
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad derive model.onnx --tangents 16 --batch 64 -o derivative.onnx
  forwardgrad derive model.onnx --tangents 32 --batch 8 --low-rank 1 --per-example -o derivative.onnx`,
    )
    .action(async (path: string, flags: DeriveFlags) => {
      const { output, overwrite, lowRank, perExample, parameters } = flags;
      requireFree({ path: output, inputs: [path], isOwn: isDerivative, overwrite });
      const model = loadModel(path, flags.limit);
      if (hasOpenBatch(model) && flags.batch === undefined) {
        throw new Error(
          `${path} leaves its batch axis open; say how many examples the derivative graph takes (--batch N).`,
        );
      }
      const data = settingsFrom(settings, { ...flags });
      const {
        dimensions,
        trainable,
        fill,
        tangents = settings.tangents.default,
      } = asOptions(settings, data) as TrainSettings;
      const objective = await compileObjective({
        model,
        loss: chosenLoss(data),
        runtime: nodeRuntime(),
        batch: flags.batch ?? fixedBatch(model) ?? 1,
        dimensions,
        fill,
        output: flags.prediction,
        keepOutputs: true,
        trainable,
      });
      for (const note of objective.notes) say(words`note: ${note}`);
      const bytes = deriveFile(objective, { tangents, lowRank, perExample, parameters });
      await runFolder(dirname(flags.output)).write(basename(flags.output), bytes);
      const names = Object.keys(objective.parameters);
      say(
        `${flags.output}: derivatives along ${tangents} tangents of ${names.length} parameters (${names.join(", ")})`,
      );
    });
}

/** Whether a file is a derivative graph of this command: only it writes inputs `tangent/<parameter>`. */
function isDerivative(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return file.subarray(0, 64).includes("forwardgrad") && file.includes(tangentName(""));
}
