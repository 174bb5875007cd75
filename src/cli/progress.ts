import { MultiBar, type SingleBar } from "cli-progress";
import { words } from "../errors/words.ts";
import { importWarnings } from "../objective/importing/import-warnings.ts";
import { printable } from "../onnx/printable.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Stage, TrainEvent, TrainResult } from "../train/events.ts";
import type { Outlook } from "./outlook/outlook.ts";
import { progressStream, say } from "./output.ts";
import { describeQuality } from "./quality-words.ts";
import { TimeLeft } from "./time-left.ts";

/**
 * Shows a training run on stderr: a bar with the time left on a terminal; elsewhere lines, of the steps one a minute.
 *
 * @param told.imported a model file, of which is said how its inputs, outputs and tensors were understood
 * @param told.outlook what is said of a run before it trains, and of its time after the first steps
 * @returns the result, or undefined when the run was interrupted
 */
export async function reportProgress(
  events: AsyncGenerator<TrainEvent, void>,
  folder: string,
  { imported, outlook }: { readonly imported?: Model | undefined; readonly outlook?: Outlook } = {},
): Promise<TrainResult | undefined> {
  const isTerminal = progressStream.isTTY === true;
  // One bar; the kind for several, because it can write lines above itself.
  const bars = new MultiBar({
    format: "{bar} {percentage} % · step {value}/{total} · loss {loss}{quality} · {now}",
    stream: progressStream,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const tell = (line: string) => {
    if (!bar) return say(line);
    bars.log(`${printable(line)}\n`);
    bars.update();
  };
  let bar: SingleBar | undefined;
  const timeLeft = new TimeLeft();
  let spoken = performance.now();
  let average: number | undefined;
  let quality = "";
  let result: TrainResult | undefined;
  try {
    for await (const event of events) {
      switch (event.kind) {
        case "start":
          say(describeStart(event, folder));
          if (imported) say(describeImport(event));
          for (const line of (await outlook?.begin(event)) ?? []) say(line);
          for (const note of event.notes) say(words`note: ${note}`);
          // A resumed run has said it before.
          if (imported && event.step === 0)
            for (const warning of importWarnings(imported, event.trained)) say(words`warning: ${warning}`);
          if (isTerminal) bar = bars.create(event.steps, event.step, { loss: "–", quality, now: "" });
          break;
        case "warning":
          say(words`warning: ${event}`);
          break;
        case "step": {
          average = average === undefined ? event.loss : 0.98 * average + 0.02 * event.loss;
          const time = outlook?.step(event);
          if (time !== undefined) tell(time);
          if (event.quality) quality = `, ${describeQuality(event.quality)}`;
          const loss = average.toFixed(3);
          const now = `${timeLeft.at(event.step / event.steps)} left`;
          if (bar) bar.update(event.step, { loss, quality, now });
          else if (performance.now() - spoken > 60_000) {
            spoken = performance.now();
            say(`step ${event.step}/${event.steps}: loss ${loss}${quality}, ${now}`);
          }
          break;
        }
        case "stage":
          bar?.update({ now: stages[event.stage] });
          bars.update();
          break;
        case "epoch":
          tell(describeEpoch(event) + quality);
          break;
        case "recovery":
          tell(
            `The default learning rate is too large here: ${event.reason}. Going back to step ${event.from} and on at half the ` +
              `rate, ${event.learningRate.toPrecision(3)} (--lr gives another one).`,
          );
          bar?.update(event.from);
          break;
        case "interrupted":
          tell(`Saved at step ${event.step} of ${event.steps} in ${folder}.`);
          break;
        case "done":
          result = event.result;
          if (event.resumedComplete) tell(`${folder} holds the complete run already.`);
          break;
      }
    }
  } finally {
    bars.stop();
  }
  return result;
}

/** What a run does, where that is no step. */
const stages: Record<Stage, string> = {
  compile: "compiling the derivative graphs",
  validate: "validating",
  test: "testing",
  quality: "measuring the estimates",
};

function describeStart(event: TrainEvent & { kind: "start" }, folder: string): string {
  const resumed = event.step > 0 ? `, going on from step ${event.step}` : "";
  const corrected = event.guess === undefined ? "" : ` that correct ${event.guess}`;
  const forward = `${event.tangents} tangents in ${event.dimension.toLocaleString("en")} dimensions${corrected}`;
  const estimate = event.isLocal ? "a local method" : event.tangents === 0 ? "exact gradients" : forward;
  return (
    `${event.model}: ${event.parameters.toLocaleString("en")} parameters, ${estimate}, learning rate ` +
    `${event.learningRate.toPrecision(3)}, ${event.steps} steps of ${event.batch} examples${resumed} → ${folder}`
  );
}

/** What was guessed or chosen of an imported model. */
function describeImport({ input, furtherInputs, output, trained }: TrainEvent & { kind: "start" }): string {
  const shown = trained.slice(0, 6).join(", ");
  const rest = trained.length > 6 ? `, … ${trained.length - 6} more` : "";
  return (
    `examples feed '${input}' (--input)${furtherInputs.map((name) => `, '${name}'`).join("")}, the loss reads '${output}' (--output), trained are ${trained.length} tensors ` +
    `(--trainable, --freeze): ${shown}${rest}`
  );
}

function describeEpoch(event: TrainEvent & { kind: "epoch" }): string {
  const validation =
    event.validationLoss === undefined
      ? ""
      : `, validation loss ${event.validationLoss.toFixed(4)}` +
        (event.validationAccuracy === undefined
          ? ""
          : `, accuracy ${(100 * event.validationAccuracy).toFixed(2)} %`) +
        (event.validation?.macroF1 === undefined
          ? ""
          : `, macro F1 ${(100 * event.validation.macroF1).toFixed(2)} %`) +
        (event.validation?.entityF1 === undefined
          ? ""
          : `, entity F1 ${(100 * event.validation.entityF1).toFixed(2)} %`) +
        (event.validation?.retrievalAccuracy === undefined
          ? ""
          : `, retrieval accuracy ${(100 * event.validation.retrievalAccuracy).toFixed(2)} %`) +
        (event.validation?.perplexity === undefined
          ? ""
          : `, perplexity ${event.validation.perplexity.toPrecision(4)}`) +
        (event.validation?.r2 === undefined ? "" : `, R² ${event.validation.r2.toFixed(4)}`);
  return `epoch ${event.epoch} (step ${event.step}/${event.steps}): train loss ${event.trainLoss.toFixed(4)}${validation}`;
}
