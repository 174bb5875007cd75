// Steps of `train` by this build next to those of another one, in turns in one process: `npm run bench -- --compare DIST`.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { inTurns, median, medianInterval, medianRatio, short, table } from "./measure.mjs";

/** What is compared: options that every release takes. */
const cases = {
  exact: { gradient: "exact" },
  "exact, momentum": { gradient: "exact", optimizer: { name: "sgd", momentum: 0.9 } },
  "exact, adam": { gradient: "exact", optimizer: "adam" },
  activations: { perturb: "activations", sampler: "rademacher", tangents: 16 },
  "activations, adam": { perturb: "activations", sampler: "rademacher", tangents: 16, optimizer: "adam" },
  "low-rank": { perturb: "weights", sampler: "low-rank", tangents: 16 },
  "dense, signs": { perturb: "weights", sampler: "rademacher", tangents: 16 },
};
const batch = 64;
/** Milliseconds that a burst of steps takes, about: so short that a slow moment meets both builds. */
const burst = 40;

export const title = "Steps of train() by two builds";

export async function* rows({ compare, widths = [256, 1024], only, seconds = 5, threads, signal }) {
  const builds = { other: await load(compare), this: await load(join(import.meta.dirname, "../dist")) };
  for (const width of widths)
    for (const [name, settings] of Object.entries(cases)) {
      if (only && !only.includes(name)) continue;
      const runs = Object.entries(builds).map(([build, library]) => [
        build,
        startRun(library, { width, settings, threads }),
      ]);
      const steps = await stepsOfBurst(runs[0][1]);
      const contestants = runs.map(([build, run]) => [build, () => run.advance(steps)]);
      const times = await inTurns(Object.fromEntries(contestants), {
        ...{ rounds: 1000, warmUp: 2, seconds, signal },
      });
      for (const [, run] of runs) await run.end();
      const [low, high] = medianInterval(times.other.map((time, round) => time / times.this[round]));
      yield {
        ...{ name, width, steps, rounds: times.this.length },
        other: median(times.other) / steps,
        this: median(times.this) / steps,
        ratio: medianRatio(times.other, times.this),
        ...{ low, high },
      };
    }
}

async function load(folder) {
  const entries = ["index.js", "node.js"].map((file) => pathToFileURL(resolve(folder, file)).href);
  const [index, node] = await Promise.all(entries.map((entry) => import(entry)));
  return { ...index, ...node };
}

/** A run of so many steps that it does not end, on embedded digits; by a rate so small that it stays where it is. */
function startRun({ train, mlp, glyphs, nodeRuntime }, { width, settings, threads }) {
  const stop = new AbortController();
  const events = train({
    ...{
      model: mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 }),
      runtime: nodeRuntime({ threads }),
    },
    ...{ examples: glyphs({ train: 640, test: 10 }).train, validation: 0, signal: stop.signal },
    ...{ batch, steps: 1e6, epochs: 1e6, learningRate: 1e-6, ...settings },
  });
  return {
    async advance(steps) {
      for (let left = steps; left > 0; ) {
        const { value } = await events.next();
        if (value.kind === "step") left--;
      }
    },
    async end() {
      stop.abort();
      await events.return();
    },
  };
}

/** How many steps a burst has. */
async function stepsOfBurst(run) {
  await run.advance(10);
  const start = performance.now();
  await run.advance(10);
  return Math.max(1, Math.round((10 * burst) / (performance.now() - start)));
}

export function print(results) {
  return table(
    ["steps", "width", "the other build, ms", "this one, ms", "times as fast", "95 %"],
    results.map(({ name, width, other, this: own, ratio, low, high }) => [
      ...[name, width, short(other), short(own), short(ratio)],
      `${short(low)} to ${short(high)}`,
    ]),
  );
}
