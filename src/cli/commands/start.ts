import type { Command } from "commander";
import type { TrainFlags } from "../flags/training-command.ts";
import { print, say } from "../output.ts";
import { describeQuality, twoDigits } from "../quality-words.ts";
import { runTraining, type TrainOutcome } from "./train.ts";

/** The defaults of `train`, with enough epochs and momentum for a good result within a minute, and draws for a sound bias². */
const flags: Omit<TrainFlags, "out"> = {
  model: "mlp",
  data: "glyphs",
  settings: { optimizer: { name: "sgd", momentum: 0.9 }, epochs: 5, quality: { draws: 32 } },
  json: false,
};

/** What `npm start` runs: the defaults on the embedded data, and a summary for people. */
export function addStartCommand(program: Command): void {
  program
    .command("start")
    .description("a first run: train on the embedded glyphs and explain what happened")
    .action(async () => {
      const out = `runs/start-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}`;
      say("Training a network to read drawn digits, without a backward pass.", "");
      const started = performance.now();
      const outcome = await runTraining({ ...flags, out });
      print(...explain(outcome, out, (performance.now() - started) / 1000).split("\n"));
    });
}

function explain(outcome: TrainOutcome, out: string, seconds: number): string {
  const percent = (value: number | undefined) => `${(100 * (value ?? 0)).toFixed(1)} %`;
  const count = (value: number) => value.toLocaleString("en");
  // Of a projection, brought to the length of the gradient.
  const variance = outcome.parameters / outcome.tangents - 1;
  return `
  ${percent(outcome.testAccuracy)} of 5,000 digits that it never saw are read correctly, after ${seconds.toFixed(0)} s.

  What happened  A network of ${count(outcome.parameters)} parameters learned from ${count(outcome.steps)} steps of 64 digits. At each
                 step, ${outcome.tangents} random directions were pushed through the network together with the
                 digits, which tells how the loss changes along each. What earlier steps learned
                 from that foresees the gradient, and projecting its error onto the directions
                 corrects it. No step ran the network backwards.
  How good       ${outcome.cosine === undefined ? "not measured" : describeQuality({ ...outcome, cosine: outcome.cosine })}
                 Estimates next to the exact gradient, as shares of its square: bias² is what is wrong
                 on average and adds up over the steps, variance is noise, which averages out. The same
                 number of directions in the space of all weights would have a variance of
                 ${twoDigits(variance)}: perturbing the layers' outputs, and foreseeing, is what makes this fast.
  Files          ${out}/model.onnx     runs in any ONNX runtime, on raw pixels
                 ${out}/metrics.jsonl  losses and accuracies over time
  Try next       npx forwardgrad inspect ${out}/model.onnx
                 npx forwardgrad eval ${out}/model.onnx
                 npx forwardgrad train --model ${out}/model.onnx --epochs 2
                   goes on with this file
                 npx forwardgrad train --gradient exact --momentum 0.9 --epochs 5
                   the same network by backpropagation, to compare
                 npx forwardgrad train --guess none --momentum 0.9 --epochs 5
                   the same by directions alone
                 npx forwardgrad train --help
`;
}
