/** What a run of the command line leaves for its report, and the report itself, at its end and when it is interrupted. */
import packageJson from "../../package.json" with { type: "json" };
import type { Dataset } from "../data/dataset.ts";
import { words } from "../errors/words.ts";
import { decodeModel } from "../onnx/decode.ts";
import type { Model } from "../onnx/read-model.ts";
import { type Judgement, judgeModel } from "../reports/judgement.ts";
import { type RunNotes, readNotes } from "../reports/run-record.ts";
import { writeRunReport } from "../reports/run-report.ts";
import type { RunStore } from "../storage/run-store.ts";
import type { TrainEvent } from "../train/events.ts";
import { settledLoss } from "../train/run-options.ts";
import { lossSetting } from "../train/settings/choices.ts";
import { type TrainOptions, trainOptions } from "../train/settings/options.ts";
import { quoted } from "./flags/command-line.ts";
import { keptData } from "./flags/run-model.ts";
import type { TrainFlags } from "./flags/training-command.ts";
import type { Outlook } from "./outlook/outlook.ts";
import { say } from "./output.ts";
import { repeatCode } from "./repeat-code.ts";

/** A run that is being reported. */
export interface ReportedRun {
  readonly flags: TrainFlags;
  readonly store: RunStore;
  readonly dataset: Dataset;
  readonly options: Omit<TrainOptions, "test">;
  /** A model of the user's, which is worth something before it is trained. */
  readonly imported: Model | undefined;
  /** What is said of the run before it trains. */
  readonly outlook: Outlook;
}

/** Passes a run's events on, and leaves its report: at its end, and where it stops before. */
export async function* reported(
  events: AsyncGenerator<TrainEvent, void>,
  run: ReportedRun,
): AsyncGenerator<TrainEvent, void> {
  const { store, flags, dataset, options, imported, outlook } = run;
  let notes: RunNotes | undefined;
  try {
    for await (const event of events) {
      if (event.kind === "start") {
        const kept = event.step > 0 ? await readNotes(store) : undefined;
        notes = {
          software: `forwardgrad ${packageJson.version}, ${options.runtime.name}`,
          command: `forwardgrad ${process.argv.slice(2).map(quoted).join(" ")}`,
          code: repeatCode(flags, dataset, imported),
          data: describeData(dataset),
          classNames: dataset.classNames,
          ...kept,
          // Where a resumed run finds them now.
          dataFlags: keptData({ ...flags, held: flags.settings.validation }, flags.out),
          format: 1,
        };
        // The first lines come before all else that takes a while.
        yield event;
        if (imported && event.step === 0) notes = { ...notes, before: await judged(imported, run) };
        continue;
      }
      if (event.kind === "done") {
        const isThere = event.resumedComplete && (await store.read("report.html")) !== undefined;
        const after = isThere ? undefined : await judged(decodeModel(event.model), run);
        notes = isThere ? undefined : { ...notes, format: 1, after };
        if (imported && (flags.data === "text" || flags.data in taskOf))
          await leaveModel(imported, event.model, run);
      }
      yield event;
    }
  } finally {
    if (notes) await leave(store, { understood: outlook.lines, ...notes });
  }
}

const taskOf = { conll: "token-classification", "next-token": "text-generation" } as const;

/** What other programs run the model with. */
async function leaveModel(
  model: Model,
  bytes: Uint8Array,
  { flags, store, dataset }: ReportedRun,
): Promise<void> {
  const { leaveForTransformers } = await import("./transformers-folder.ts");
  const { model: file, tokenizer } = flags;
  const task =
    dataset.texts?.kind === "pairs"
      ? "feature-extraction"
      : (taskOf[flags.data as keyof typeof taskOf] ?? "text-classification");
  const given = { model, file, tokenizer, dataset, bytes, task } as const;
  try {
    say(await leaveForTransformers(store, given));
  } catch (error) {
    say(words`warning: the folder for transformers.js could not be written: ${error as Error}`);
  }
}

/** On the test examples, where there are any that count. */
async function judged(model: Model, { dataset, options }: ReportedRun): Promise<Judgement | undefined> {
  const { test, columns, shownTexts: texts, shownPositions: positions } = dataset;
  if (test.count === 0) return undefined;
  const { input, fill, dimensions, output, runtime, seed = trainOptions.seed.default, validation } = options;
  // As the run weighs them.
  const own = dataset.validation ?? (typeof validation === "number" ? validation : undefined);
  const chosen = lossSetting.choose(options.loss ?? lossSetting.default);
  const loss = await settledLoss(chosen, dataset.train, model, { validation: own, seed }, dataset.classNames);
  const reading = { input, fill, dimensions, output };
  // What was not to be measured does not keep a run from its end.
  const shown = { columns, texts, positions };
  return judgeModel({ ...reading, ...shown, model, examples: test, loss, runtime }).catch(() => undefined);
}

function describeData({ name, train, stream, validation, test, classes }: Dataset): string {
  const count = (value: number) => value.toLocaleString("en");
  const learned = classes > 0 ? `, ${classes} classes` : "";
  const held = validation ? `${count(validation.count)} to validate on, ` : "";
  return `Data: ${name}, ${count(stream?.count ?? train.count)} examples to train on, ${held}${count(test.count)} to test on${learned}.`;
}

async function leave(store: RunStore, notes: RunNotes): Promise<void> {
  try {
    await store.write("report.json", new TextEncoder().encode(`${JSON.stringify(notes)}\n`));
    if (await writeRunReport(store)) return;
    say(
      `warning: ${store.describe}/report.html is no report of a run, and is left as it is; forwardgrad report ${store.describe} -o FILE writes one elsewhere.`,
    );
  } catch (error) {
    say(words`warning: the report could not be written: ${error as Error}`);
  }
}
