/** `forwardgrad predict`: what a model says of examples, row by row. */
import type { Command } from "commander";
import { words } from "../../errors/words.ts";
import { knownData } from "../../objective/model-data.ts";
import { type NodeDevice, nodeRuntime } from "../../runtime/node.ts";
import { openAtomically } from "../../storage/node-files.ts";
import { loadModel } from "../../storage/node-model.ts";
import { predict } from "../../train/evaluation/predict.ts";
import type { TrainSettings } from "../../train/settings/options.ts";
import { chosenLoss } from "../flags/chosen-loss.ts";
import { dataNames, refuseStrayFlags } from "../flags/datasets.ts";
import { addDataOptions, addRuntimeOptions, wholeNumber } from "../flags/options.ts";
import { askedParts, kindOfData, ofRun, type PredictionChoice } from "../flags/prediction-data.ts";
import { modelFile, runSettings, trainedSettings } from "../flags/run-model.ts";
import { addSettingFlags, asOptions, settingsFrom } from "../flags/setting-flags.ts";
import { interruptible } from "../interrupt.ts";
import { printData, say } from "../output.ts";
import { requireFree } from "../output-file.ts";
import { type AskedPart, atPositions, type OwnColumns, RowWriter } from "../prediction-rows.ts";

const settings = trainedSettings;

interface PredictFlags extends PredictionChoice {
  readonly o?: string;
  readonly top?: number;
  readonly batch: number;
  readonly device: NodeDevice;
  readonly threads?: number;
  readonly json: boolean;
  readonly overwrite: boolean;
}

export function addPredictCommand(program: Command): void {
  const command = program
    .command("predict")
    .description("say what an ONNX model predicts for examples, which need no labels")
    .argument("<model.onnx>", "the model, or the folder of the run that trained it");
  addSettingFlags(
    addRuntimeOptions(addDataOptions(command, dataNames, "unlabelled").optionsGroup("Model:")),
    settings,
  )
    .option("--batch <n>", "examples at once, where the model leaves that open", wholeNumber(1), 64)
    .optionsGroup("Output:")
    .option("-o <file>", "CSV, or JSON Lines for names in .jsonl or .json (default: CSV on stdout)")
    .option(
      "--top <n>",
      "the n likeliest classes with their probabilities (default: the probabilities of all)",
      wholeNumber(1),
    )
    .option("--json", "JSON Lines, whatever the file is called", false)
    .option("--overwrite", "replace the output file", false)
    .addHelpText(
      "after",
      `
Rows have the columns of the table that was read, the path of the picture, or the example's number; then the prediction.

Examples:
  forwardgrad predict runs/prices --data-file new.csv -o prices.csv
  forwardgrad predict runs/photos --data-dir holidays --top 3 -o holidays.csv
  forwardgrad predict model.onnx --data-file inputs.npz --json | head -3`,
    )
    .action(async (given: string, asked: PredictFlags) => {
      const file = modelFile(given);
      const flags = await ofRun(asked, file);
      const { o: path, overwrite } = flags;
      const read = [file, ...(flags.dataFile ? [flags.dataFile] : [])];
      if (path !== undefined) requireFree({ path, inputs: read, isOwn: () => false, overwrite });
      const model = loadModel(file, flags.limit);
      const known = knownData(model);
      const data = { ...(await runSettings(file)), ...settingsFrom(settings, { ...flags }) };
      const choice = { ...flags, data: kindOfData(flags, known) };
      refuseStrayFlags(choice);
      const { input, loss, ...reading } = asOptions(settings, data) as TrainSettings;
      const source = askedParts(choice, model, known, { input, batch: flags.batch, file });
      const format = flags.json || /\.(jsonl|ndjson|json)$/i.test(path ?? "") ? "jsonl" : "csv";
      const writer = new RowWriter({ format, top: flags.top, classNames: known.classNames });
      const out = path === undefined ? { append: printData } : await openAtomically(path);
      const predicting = async (signal: AbortSignal) => {
        let own: readonly OwnColumns[] = [];
        let next = 0;
        let kept: AskedPart["positions"];
        async function* examples(): AsyncGenerator<AskedPart["examples"], void> {
          for await (const part of source) {
            [own, next, kept] = [part.rows, 0, part.positions];
            yield part.examples;
          }
        }
        let text = "";
        const predictions = predict({
          ...reading,
          ...{ model, input, examples: examples(), batch: flags.batch },
          ...(data.loss !== undefined && { loss: chosenLoss(data, known) }),
          runtime: nodeRuntime({ device: flags.device, threads: flags.threads }),
          onNotes: (notes) => say(...notes.map((note) => words`note: ${note}`)),
        });
        try {
          for await (const said of predictions) {
            const told = kept?.[next];
            text += writer.row(own[next++] ?? [], told ? atPositions(said, told) : said);
            if (writer.rows % flags.batch !== 0) continue;
            const isWanted = await out.append(text);
            text = "";
            if (!isWanted) return writer.rows;
            if (signal.aborted) return undefined;
          }
          return writer.rows;
        } finally {
          // What was predicted before a bad example, or Ctrl-C, is kept.
          await out.append(text);
        }
      };
      const where = () => (path !== undefined && writer.rows > 0 ? `, which are in ${path}` : "");
      try {
        await interruptible(predicting, () => `Stopped after ${count(writer.rows)}${where()}.`);
      } finally {
        if ("finish" in out) await out.finish(writer.rows > 0);
      }
      if (path !== undefined) say(`${path}: ${count(writer.rows)}`);
    });
}

function count(rows: number): string {
  return `${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
}
