/** `forwardgrad search`: learning rates for a training command, by short runs. */
import { MultiBar, type SingleBar } from "cli-progress";
import type { Command } from "commander";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { printable } from "../../onnx/printable.ts";
import type { SearchEvent, SearchResult, Trial } from "../../search/events.ts";
import { ownSearchOptions, searchOptions } from "../../search/options.ts";
import { searchLearningRate } from "../../search/search.ts";
import { inRunFolder } from "../../storage/node-run-folder.ts";
import { trainOptions } from "../../train/settings/options.ts";
import { trainingSettings } from "../flags/chosen-loss.ts";
import { trainCommandLine } from "../flags/command-line.ts";
import { configured } from "../flags/config-file.ts";
import { hasFile, inFolder } from "../flags/default-folder.ts";
import { printConfig } from "../flags/print-config.ts";
import { addSettingFlags, flagsOf } from "../flags/setting-flags.ts";
import {
  addTrainingOptions,
  type GivenTrainFlags,
  openTraining,
  type TrainFlags,
} from "../flags/training-command.ts";
import { interruptible } from "../interrupt.ts";
import { print, printJson, progressStream, say } from "../output.ts";
import { drawTrials, tableOfTrials, trialsAsCsv } from "../search-report.ts";

/** Flags of search that train does not know; --out, --resume and --json mean something else there. */
const ownFlags = flagsOf(ownSearchOptions).map(({ flag }) => `--${flag}`);
const leftOut = [
  ...ownFlags,
  ...["--out", "--resume", "--overwrite", "--allow-changes", "--json", "--print-config"],
];

const settings = {
  ...searchOptions,
  learningRate: trainOptions.learningRate,
  loss: trainingSettings.loss,
};

const latestSearch = "runs/search";

export function addSearchCommand(program: Command): void {
  const command = program
    .command("search")
    .description(
      "find a learning rate for a training command: short runs of many rates, longer ones of the best",
    );
  addTrainingOptions(command, { folder: latestSearch, holds: "the trials, their table and chart" });
  addSettingFlags(command.optionsGroup("Search:"), ownSearchOptions)
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad search                                       a rate for "forwardgrad train"
  forwardgrad search --model lenet5 --data mnist --epochs 2 --evaluations 40 --seeds 2
  forwardgrad search --model vit --perturb weights --lowest 1e-4 --highest 10 --out runs/vit-rates
  forwardgrad search --out runs/vit-rates --resume         with the flags of the search that stopped`,
    )
    .action((typed: GivenTrainFlags) => {
      const given = configured(command, settings, typed);
      if (given.printConfig) return printConfig(command, settings, given);
      const own = {
        name: latestSearch,
        resume: given.settings.resume === true,
        isComplete: hasFile("trials.csv"),
      };
      return inFolder(given.out, own, async (out) => {
        const flags = { ...given, out };
        const result = await runSearch(flags);
        const options = { flags: command.options.filter(({ required }) => required), leftOut };
        const found = result.learningRate;
        const train =
          found === undefined ? undefined : trainCommandLine(process.argv.slice(2), options, found);
        if (flags.json) printJson({ ...result, train });
        else print(...summary(result, out, train));
      });
    });
}

/** Searches as the flags say, with progress on stderr, and leaves a table and a chart in the folder. */
async function runSearch(flags: TrainFlags): Promise<SearchResult> {
  const { learningRate } = flags.settings;
  if (learningRate !== undefined) {
    throw new SettingError(
      words`search looks for the learning rate, and one is given (${mention("learningRate", learningRate as number)}); leave it
        out, or say between which to search (${mention("lowest")}, ${mention("highest")}).`,
      { option: "learningRate" },
    );
  }
  return inRunFolder(flags.out, async (store) => {
    const { options } = await openTraining(flags, store);
    const result = await interruptible((signal) =>
      reportSearch(searchLearningRate({ ...options, signal }), flags.out),
    );
    const { judge = ownSearchOptions.judge.default } = flags.settings;
    const encoder = new TextEncoder();
    await store.write("trials.csv", encoder.encode(trialsAsCsv(result.trials)));
    await store.write(
      "trials.svg",
      encoder.encode(await drawTrials(result.trials, judge as "loss" | "accuracy")),
    );
    return result;
  });
}

/** Shows a search on stderr: a bar with the time left on a terminal, a line for each trial. */
async function reportSearch(
  events: AsyncGenerator<SearchEvent, void>,
  folder: string,
): Promise<SearchResult | undefined> {
  const bars = new MultiBar({
    format: "{bar} {percentage} % · run {trial}/{trials} · rate {rate} · loss {loss} · {eta_formatted} left",
    stream: progressStream,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 100,
    gracefulExit: false,
  });
  let bar: SingleBar | undefined;
  const tell = (line: string) => {
    if (!bar) return say(line);
    bars.log(`${printable(line)}\n`);
    bars.update();
  };
  let result: SearchResult | undefined;
  let average: { readonly trial: number; readonly loss: number } | undefined;
  try {
    for await (const event of events) {
      switch (event.kind) {
        case "start":
          say(describeStart(event, folder));
          for (const note of event.notes) say(words`note: ${note}`);
          if (progressStream.isTTY)
            bar = bars.create(event.steps, 0, {
              trial: event.done,
              trials: event.trials,
              rate: "–",
              loss: "–",
            });
          break;
        case "step": {
          const { trial, trials, loss } = event;
          const mean = average?.trial === trial ? 0.98 * average.loss + 0.02 * loss : loss;
          average = { trial, loss: mean };
          const rate = event.learningRate.toPrecision(3);
          bar?.update(event.step, { trial, trials, rate, loss: mean.toFixed(3) });
          break;
        }
        case "trial":
          tell(`${event.done}/${event.trials}: ${describeTrial(event.trial)}`);
          break;
        case "interrupted":
          tell(`Saved after ${event.done} of ${event.trials} runs in ${folder}.`);
          break;
        case "done":
          result = event.result;
          break;
      }
    }
  } finally {
    bars.stop();
  }
  return result;
}

function describeStart(
  { rates, rungs, trials, done }: SearchEvent & { kind: "start" },
  folder: string,
): string {
  const rounds = rungs.map(({ candidates, steps }) => `${candidates} of ${steps} steps`).join(", ");
  const [lowest = 0, highest = 0] = [rates[0], rates.at(-1)];
  return (
    `${rates.length} learning rates from ${lowest.toPrecision(3)} to ${highest.toPrecision(3)}: ${trials} runs, ${rounds}` +
    `${done > 0 ? `, going on after run ${done}` : ""} → ${folder}`
  );
}

function describeTrial({ learningRate, steps, diverged, validationLoss, validationAccuracy }: Trial): string {
  const accuracy =
    validationAccuracy === undefined ? "" : `, accuracy ${(100 * validationAccuracy).toFixed(2)} %`;
  const outcome = diverged ? "diverged" : `validation loss ${validationLoss?.toFixed(4)}${accuracy}`;
  return `rate ${learningRate.toPrecision(3)}, ${steps} steps: ${outcome}`;
}

function summary(result: SearchResult, folder: string, train: string | undefined): string[] {
  const { edge } = result;
  const advice =
    result.learningRate === undefined
      ? "Every rate diverged; search lower ones (--lowest, --highest)."
      : edge
        ? `The best rate is the ${edge} that was tried: better ones may lie beyond (--${edge}).`
        : undefined;
  return [
    ...tableOfTrials(result.trials).split("\n"),
    `rows: ${folder}/trials.csv, chart: ${folder}/trials.svg`,
    ...(advice ? [advice] : []),
    ...(train ? ["Train with the rate that was found:", `  ${train}`] : []),
  ];
}
