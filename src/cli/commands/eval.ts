/** `forwardgrad eval`: a model's loss and accuracy on data. */
import type { Command } from "commander";
import { isArrayOf } from "../../arrays/kind.ts";
import type { Examples } from "../../data/dataset.ts";
import { words } from "../../errors/words.ts";
import { imageChannels, knownData } from "../../objective/model-data.ts";
import { type NodeDevice, nodeRuntime } from "../../runtime/node.ts";
import { loadModel } from "../../storage/node-model.ts";
import { evaluateModel } from "../../train/evaluation/evaluate-model.ts";
import type { TrainSettings } from "../../train/settings/options.ts";
import { chosenLoss, lossName } from "../flags/chosen-loss.ts";
import { type DatasetChoice, dataNames, openDataset } from "../flags/datasets.ts";
import { addDataOptions, addRuntimeOptions } from "../flags/options.ts";
import { kindOfData } from "../flags/prediction-data.ts";
import { isTested, modelFile, runSettings, trainedSettings, withRunData } from "../flags/run-model.ts";
import { addSettingFlags, asOptions, settingsFrom } from "../flags/setting-flags.ts";
import { print, printJson, say } from "../output.ts";
import { scoreLines } from "../score-words.ts";

const settings = trainedSettings;

interface EvalFlags extends Omit<DatasetChoice, "loss" | "data"> {
  readonly data?: string;
  readonly device: NodeDevice;
  readonly threads?: number;
  readonly json: boolean;
}

export function addEvalCommand(program: Command): void {
  const command = program
    .command("eval")
    .description("measure an ONNX model on a dataset's test examples")
    .argument("<model.onnx>", "the model, or the folder of the run that trained it");
  addSettingFlags(
    addRuntimeOptions(addDataOptions(command, dataNames, "measured").optionsGroup("Model:")),
    settings,
  )
    .option("--json", "print one JSON object on stdout", false)
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad eval runs/latest
  forwardgrad eval runs/finds --data-file others.csv --test-fraction 1
  forwardgrad eval runs/mnist/model.onnx --data mnist --data-dir ./mnist --json
  forwardgrad eval runs/prices/model.onnx --data csv --data-file new.csv --target price --test-fraction 1 \\
      --loss mean-squared-error`,
    )
    .action(async (given: string, asked: EvalFlags) => {
      const path = modelFile(given);
      const { flags, isOwn } = await withRunData(asked, path);
      const model = loadModel(path, flags.limit);
      const known = knownData(model);
      const data = { ...(await runSettings(path)), ...settingsFrom(settings, { ...flags }) };
      const { input, ...read } = asOptions(settings, data) as TrainSettings;
      const kind = kindOfData(flags, known);
      const { test, classNames } = await openDataset(
        { ...flags, data: kind, loss: lossName(data) },
        { ...known, channels: imageChannels(model, input), reader: { model, file: path } },
      );
      const isOfRun = await isTested(path, test);
      if (isOfRun === false && isOwn)
        throw new Error(
          `${path} was tested on other examples than ${named(flags)} holds now; name the data to measure on them as they are.`,
        );
      if (isOfRun === false && flags.data === undefined && kind === "glyphs")
        throw new Error(
          `eval measures on ${kind} where no data are named, but ${path} was tested on other examples; say which with --data and what it needs.`,
        );
      if (isOfRun) say(`The run's own test examples, ${test.count.toLocaleString("en")} of them.`);
      else if (isOfRun === false) say("note: these are not the examples that the model's run was tested on.");
      const { loss, accuracy, counted, notes, ...others } = await evaluateModel({
        model,
        parameters: {},
        examples: test,
        ...read,
        input,
        loss: chosenLoss(data, known),
        runtime: nodeRuntime({ device: flags.device, threads: flags.threads }),
      });
      for (const note of notes) say(words`note: ${note}`);
      if (flags.json) {
        const measured = { testAccuracy: accuracy, testLoss: loss, examples: test.count, counted };
        printJson({ ...measured, ...others });
      } else {
        const percent = accuracy === undefined ? "" : `test accuracy ${(100 * accuracy).toFixed(2)} %, `;
        print(`${percent}test loss ${loss.toFixed(4)} on ${describeCount(test, counted)}`);
        for (const line of scoreLines(others, classNames ?? known.classNames)) print(line);
      }
    });
}

/** What the flags say of where data are, for messages. */
function named({ data, testFile, dataFile, dataDir }: EvalFlags): string {
  return testFile ?? dataFile ?? dataDir ?? `${data}`;
}

/** "200 examples", and how many of their labels count where it is not one each. */
function describeCount({ count, labels }: Examples, counted: number): string {
  const examples = `${count.toLocaleString("en")} examples`;
  if (counted === count && (isArrayOf("Float32Array", labels) || labels.length === count)) return examples;
  return `${examples}, of whose ${labels.length.toLocaleString("en")} labels ${counted.toLocaleString("en")} count`;
}
