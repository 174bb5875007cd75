import { dirname, join } from "node:path";
import type { Command } from "commander";
import { courseWords } from "../../reports/course-words.ts";
import { readRun } from "../../reports/run-record.ts";
import type { Config } from "../../settings/config.ts";
import { inRunFolder } from "../../storage/node-run-folder.ts";
import type { TrainResult } from "../../train/events.ts";
import { spreadTraining } from "../distributed/spread-training.ts";
import { trainingSettings } from "../flags/chosen-loss.ts";
import { configured } from "../flags/config-file.ts";
import { inFolder, isCompleteTraining } from "../flags/default-folder.ts";
import { addDistributedFlags, isSpread } from "../flags/distributed-flags.ts";
import { printConfig } from "../flags/print-config.ts";
import type { SettingData } from "../flags/setting-flags.ts";
import {
  addTrainingOptions,
  type GivenTrainFlags,
  openTraining,
  type TrainFlags,
} from "../flags/training-command.ts";
import { guessingAdvice } from "../guessing-advice.ts";
import { interruptible } from "../interrupt.ts";
import { outlookOf } from "../outlook/outlook.ts";
import { printJson, say } from "../output.ts";
import { reportProgress } from "../progress.ts";
import { describeQuality } from "../quality-words.ts";
import { reported } from "../run-notes.ts";

/** What a finished training run printed and left behind. */
export interface TrainOutcome extends TrainResult {
  /** Path of the trained model. */
  readonly model: string;
  /** Of next tokens, on the test examples. */
  readonly testPerplexity?: number;
  /** Of pairs, on the test examples: the share whose own second text is the nearest. */
  readonly testRetrievalAccuracy?: number;
  /** Of values, on the test examples: the share of their variance that is predicted. */
  readonly testR2?: number;
  /** Of labels of words that are those of entities, on the test examples. */
  readonly testEntityF1?: number;
  /** Why it ended before its last step, and what it kept, in sentences. */
  readonly course?: readonly string[];
}

const latestRun = "runs/latest";

export function addTrainCommand(program: Command): void {
  const command = program
    .command("train")
    .description("train a network with forward passes only and save it as an ONNX file");
  addTrainingOptions(command, { folder: latestRun, holds: "the model, metrics and checkpoints" });
  addDistributedFlags(command.optionsGroup("Several workers:"))
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad train                                        glyphs, activations, 16 tangents
  forwardgrad train --data mnist --epochs 5 --momentum 0.9 --out runs/mnist
  forwardgrad train --perturb weights --sampler low-rank --tangents 64 --out runs/weights
  forwardgrad train --data images --data-dir photos --image-size 32 --augment crop:4,flip --out runs/photos
  forwardgrad train --data csv --data-file houses.csv --target price --loss mean-squared-error --out runs/prices
  forwardgrad train --optimizer adam --epochs 20 --patience 3 --track-quality 100 --out runs/adam
  forwardgrad train --model my-model.onnx --trainable 'head' --data mnist --out runs/head
  forwardgrad train --model my-model.onnx --adapter lora --rank 4 --target 'fc' --data mnist --out runs/lora
  forwardgrad train --device webgpu --hidden 1024,1024 --data mnist --out runs/wide
  forwardgrad train --out runs/mnist --data mnist --epochs 5 --momentum 0.9 --resume
  forwardgrad train --workers 4 --perturb weights --data mnist --out runs/together`,
    )
    .action(async (given: GivenTrainFlags) => {
      const flags = configured(command, trainingSettings, given);
      if (flags.printConfig) return printConfig(command, trainingSettings, withDraws(flags));
      const { resume = false, overwrite } = flags.settings;
      const own = { name: latestRun, resume: resume === true, isComplete: isCompleteTraining };
      const out = flags.out ?? (overwrite ? latestRun : undefined);
      const outcome = await inFolder(out, own, (folder) => runTraining({ ...flags, out: folder }));
      const isUnscaled = flags.data === "csv" && flags.model.endsWith(".onnx") && !flags.standardize;
      const advice = guessingAdvice(outcome, flags.settings, { isUnscaled });
      if (flags.json) printJson(advice.length > 0 ? { ...outcome, advice: advice.join("\n") } : outcome);
      else say(...summary(outcome), ...advice);
    });
}

/** A finished run says how good its estimates were. */
function withDraws<Flags extends Pick<TrainFlags, "settings" | "workers" | "distribute">>(
  flags: Flags,
): Flags {
  const { settings } = flags;
  // Workers draw for the steps alone.
  if (settings.gradient === "exact" || isSpread(flags)) return flags;
  const quality = { draws: 4, ...(settings.quality as SettingData | undefined) } as Config;
  return { ...flags, settings: { ...settings, quality } };
}

/** Trains as the flags say, with progress on stderr. */
export async function runTraining(flags: TrainFlags): Promise<TrainOutcome> {
  return inRunFolder(flags.out, async (store) => {
    const { dataset, options, imported } = await openTraining(withDraws(flags), store);
    return interruptible(async (signal) => {
      const events = spreadTraining({ ...options, inPlace: true, test: dataset.test, signal }, flags);
      const outlook = outlookOf(options, dataset);
      const told = reported(events, { flags, store, dataset, options, imported, outlook });
      const result = await reportProgress(told, flags.out, { imported, outlook });
      if (!result) return undefined;
      const { config, notes } = await readRun(store);
      const { perplexity, entities, retrieval, regression } = notes.after ?? {};
      const course = courseWords(result, config);
      return {
        ...result,
        ...(perplexity !== undefined && { testPerplexity: perplexity }),
        ...(entities && { testEntityF1: entities.f1 }),
        ...(retrieval && { testRetrievalAccuracy: retrieval.accuracy }),
        ...(regression?.r2 !== undefined && { testR2: regression.r2 }),
        ...(course.length > 0 && { course }),
        model: join(flags.out, "model.onnx"),
      };
    });
  });
}

function summary(outcome: TrainOutcome): string[] {
  const percent = (value: number | undefined) =>
    value === undefined ? "–" : `${(100 * value).toFixed(2)} %`;
  const { testRetrievalAccuracy, testR2 } = outcome;
  const score =
    testRetrievalAccuracy !== undefined
      ? `test retrieval accuracy ${percent(testRetrievalAccuracy)}, `
      : testR2 !== undefined
        ? `test R² ${testR2.toFixed(4)}, `
        : `test accuracy ${percent(outcome.testAccuracy)}, `;
  return [
    `${score}${outcome.testEntityF1 === undefined ? "" : `entity F1 ${percent(outcome.testEntityF1)}, `}` +
      `${outcome.testPerplexity === undefined ? "" : `perplexity ${outcome.testPerplexity.toPrecision(5)}, `}` +
      `test loss ${outcome.testLoss?.toFixed(4) ?? "–"}, ` +
      `${outcome.steps} steps${outcome.secondsPerStep ? ` of ${(1000 * outcome.secondsPerStep).toFixed(1)} ms` : ""}`,
    ...(outcome.cosine === undefined
      ? []
      : [`estimates at the end: ${describeQuality({ ...outcome, cosine: outcome.cosine })}`]),
    ...(outcome.outOfTime
      ? [
          `stopped at step ${outcome.steps}: the minutes are over (--max-minutes); --resume goes on for as long again`,
        ]
      : []),
    ...(outcome.course ?? []).map((line) => `${line.charAt(0).toLowerCase()}${line.slice(1)}`),
    `model: ${outcome.model}`,
    `report: ${join(dirname(outcome.model), "report.html")}`,
  ];
}
