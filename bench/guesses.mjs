// What a guess costs: whole training steps with one next to steps without, in turns.
import { activations, feedback, lenet5, mlp, weights } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { inTurns, median, medianInterval, medianRatio, short, table } from "./measure.mjs";
import { trainingStep } from "./problem.mjs";

const shape = [1, 28, 28];
const images = { input: shape, outputs: 10 };
const feedbacks = {
  feedback: { perturb: activations({ guess: "feedback" }) },
  "feedback, logits": { perturb: activations({ guess: feedback({ signal: "logits" }) }) },
};
const none = { perturb: "activations" };
const lowRank = { sampler: "low-rank" };

const groups = [
  { model: "mlp 256, 256", make: () => mlp({ ...images, hidden: [256, 256] }), none, guesses: feedbacks },
  { model: "mlp 1024, 1024", make: () => mlp({ ...images, hidden: [1024, 1024] }), none, guesses: feedbacks },
  { model: "lenet5", make: () => lenet5(images), none, guesses: feedbacks },
  {
    model: "mlp 256, 256",
    make: () => mlp({ ...images, hidden: [256, 256] }),
    none: { perturb: "weights", ...lowRank },
    guesses: { "momentum, low-rank weights": { perturb: weights({ guess: "momentum" }), ...lowRank } },
  },
];

export const title = "A training step with a guess next to one without";

export async function* rows({ batch = 64, k = 16, seconds = 11, threads, signal }) {
  const runtime = nodeRuntime({ threads });
  for (const { model, make, none: without, guesses } of groups) {
    const contestants = { none: without, ...guesses };
    const trainings = {};
    for (const [name, settings] of Object.entries(contestants))
      trainings[name] = await trainingStep({
        ...{ model: make(), shape, batch, runtime },
        settings: { tangents: k, ...settings },
      });
    const steps = Object.entries(trainings).map(([name, { step }]) => [name, () => step().then(() => {})]);
    const times = await inTurns(Object.fromEntries(steps), { rounds: 400, warmUp: 10, seconds, signal });
    for (const training of Object.values(trainings)) await training.release();
    for (const guess of Object.keys(guesses)) {
      const [low, high] = medianInterval(times[guess].map((time, round) => time / times.none[round]));
      yield {
        ...{ model, guess, batch, k, threads: runtime.threads, rounds: times.none.length },
        without: median(times.none),
        with: median(times[guess]),
        ratio: medianRatio(times[guess], times.none),
        low,
        high,
      };
    }
  }
}

export function print(results) {
  const [{ batch, k, threads }] = results;
  return (
    `batch ${batch}, k = ${k}, ${threads} threads; the ratio is the median of the rounds' ratios, with its 95 % interval\n\n` +
    table(
      ["model", "guess", "ms without", "ms with", "with ÷ without", "interval", "rounds"],
      results.map((row) => [
        row.model,
        row.guess,
        short(row.without),
        short(row.with),
        short(row.ratio),
        `${short(row.low)} to ${short(row.high)}`,
        row.rounds,
      ]),
    )
  );
}
