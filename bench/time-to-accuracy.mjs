// Seconds of training until a network reads MNIST to a given test accuracy, for each method. For example:
//   node bench/time-to-accuracy.mjs --folder DIR --python peers/bin/python --frog frog --chart time-to-accuracy.svg
// bench/README.md describes the flags. What is measured is appended to --file, and a second run goes on from there.
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { folderStore } from "../dist/node.js";
import { short, table } from "./measure.mjs";
import { batch, methods } from "./time-to-accuracy-methods.mjs";
import {
  bestMultiple,
  curveOf,
  findRun,
  openRecords,
  runsOf,
  secondsPerStep,
  speedsOf,
  stepsTo,
} from "./time-to-accuracy-records.mjs";

const targets = { mlp: 0.97, lenet5: 0.98 };
/** Multiples of the default rate: the first ones, and how far the search goes where the best one is at an end. */
const multiples = { first: [1, 0.5, 2], smallest: 1 / 16, largest: 16 };
/** Seeds after the first run only where that one comes so near to the target. */
const near = 0.01;
/** A measurement of speed takes about so long. */
const secondsOfSpeed = 1;

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    file: { type: "string", default: "time-to-accuracy.jsonl" },
    models: { type: "string", default: Object.keys(targets).join(",") },
    methods: { type: "string", default: Object.keys(methods).join(",") },
    budgets: { type: "string", default: "200,300,450,650,950,1400,2000,3000,4500" },
    seeds: { type: "string", default: "0,1,2" },
    rounds: { type: "string", default: "7" },
    threads: { type: "string", default: "2" },
    "limit-seconds": { type: "string", default: "120" },
    only: { type: "string" },
    python: { type: "string", default: process.env.BENCH_PYTHON ?? "python3" },
    frog: { type: "string", default: process.env.FROG_DIR },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    chart: { type: "string" },
  },
});
const numbers = (text) => text.split(",").map(Number);
const [models, names] = [flags.models.split(","), flags.methods.split(",")];
const budgets = numbers(flags.budgets).sort((a, b) => a - b);
const [firstSeed, ...otherSeeds] = numbers(flags.seeds);
const limit = Number(flags["limit-seconds"]);
for (const [flag, given, known] of [
  ["models", models, Object.keys(targets)],
  ["methods", names, Object.keys(methods)],
  ["only", flags.only === undefined ? [] : [flags.only], ["speed", "accuracy", "report"]],
]) {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) continue;
  console.error(`--${flag}: '${unknown}' is none of ${known.join(", ")}.`);
  process.exit(2);
}

const stop = new AbortController();
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(130);
  console.error("Stopping; the run at hand is not kept. Ctrl-C again ends at once.");
  stop.abort();
});
const { records, add } = openRecords(flags.file, { batch });
const dataset = flags.only === "report" ? undefined : await mnist(folderStore(flags.folder));
const common = {
  ...{ dataset, folder: flags.folder, threads: Number(flags.threads), signal: stop.signal },
  ...{ python: flags.python, frog: flags.frog },
};
/** Methods that cannot run here. */
const absent = new Set();
for (const name of flags.only === "report" ? [] : Object.keys(methods)) {
  const reason = methods[name].missing?.(common);
  if (reason !== undefined) leaveOut(name, reason);
}

for (const model of flags.only === "report" ? [] : models) {
  const wanted = present().some((name) => !isTimed(model, name));
  if (flags.only === "speed" || (flags.only === undefined && wanted)) await measureSpeeds(model);
  if (flags.only !== "speed") await measureAccuracies(model);
}
const results = models.flatMap((model) => names.flatMap((name) => summary(model, name)));
if (flags.json) console.log(JSON.stringify(results));
else console.log(results.length > 0 ? print(results) : "Nothing measured.");
if (flags.chart && results.length > 0) {
  const { drawTimeToAccuracy } = await import("./time-to-accuracy-chart.mjs");
  await drawTimeToAccuracy(results, flags.chart);
}
if (stop.signal.aborted) process.exit(130);

function canRun(name) {
  return !stop.signal.aborted && !absent.has(name);
}

function present() {
  return names.filter(canRun);
}

/** Whether a method was timed in turns with others. */
function isTimed(model, name) {
  return speedsOf(records, model, name).length > 0;
}

function leaveOut(name, reason) {
  if (names.includes(name)) console.error(`${name} is left out: ${reason}`);
  absent.add(name);
}

/** Trains; undefined where it was interrupted or another program is missing. */
async function run(name, options) {
  try {
    return await methods[name].run({ ...common, ...options });
  } catch (error) {
    if (stop.signal.aborted) return undefined;
    if (!methods[name].isPeer) throw error;
    leaveOut(name, error.message);
    return undefined;
  }
}

/**
 * Short runs of the methods in turns, the first of which says how many steps the others have. Those that were timed before take
 * part again: only what is timed in turns compares.
 */
async function measureSpeeds(model) {
  const session = new Date().toISOString();
  const steps = {};
  const timed = Object.keys(methods).filter((name) => names.includes(name) || isTimed(model, name));
  for (let round = 0; round <= Number(flags.rounds); round++)
    for (const name of timed.filter(canRun)) {
      const options = { model, steps: steps[name] ?? 30, seed: round, rate: 0.001, isTimed: true };
      const measured = await run(name, options);
      if (!measured) continue;
      const { secondsPerStep: seconds, version } = measured;
      steps[name] ??= 10 + Math.round(Math.min(1000, Math.max(10, secondsOfSpeed / seconds)));
      if (round === 0) continue;
      const { threads } = common;
      add({ kind: "speed", session, model, method: name, round, threads, secondsPerStep: seconds, version });
      const said = `round ${round} of ${flags.rounds}, ${short(1000 * seconds)} ms a step`;
      console.error(`${model}, ${methods[name].label}: ${said}`);
    }
}

/** First each method's learning rate, then budget by budget, so that all methods get through the same hours. */
async function measureAccuracies(model) {
  for (const name of present()) await chooseRate(model, name);
  for (const steps of budgets)
    for (const name of present()) {
      const { best } = rateOf(model, name);
      if (best === undefined || isReached(model, name, best) || isTooLong(model, name, steps)) continue;
      const first = await trained(model, name, { steps, multiple: best, seed: firstSeed });
      if (!first || first.diverged || first.testAccuracy < targets[model] - near) continue;
      for (const seed of otherSeeds) await trained(model, name, { steps, multiple: best, seed });
    }
}

/** The steps that rates were chosen at; or the middle budget, or the largest one below it that is short enough. */
function middleOf(model, name) {
  const chosen = runsOf(records, model, name).find(({ isForRate }) => isForRate);
  if (chosen) return chosen.steps;
  const middle = budgets[Math.floor((budgets.length - 1) / 2)];
  return budgets.filter((steps) => steps <= middle && !isTooLong(model, name, steps)).at(-1);
}

function isTooLong(model, name, steps) {
  return steps * (secondsPerStep(records, model, name) ?? 0) > limit;
}

/** Whether two budgets reach the target: longer ones say nothing new. */
function isReached(model, method, multiple) {
  const reached = curveOf(records, { model, method, multiple }).filter(
    ({ accuracy }) => accuracy >= targets[model],
  );
  return reached.length >= 2;
}

function rateOf(model, method) {
  const steps = middleOf(model, method);
  const runs = runsOf(records, model, method);
  return bestMultiple(
    runs.filter((one) => one.steps === steps && one.seed === firstSeed),
    multiples,
  );
}

async function chooseRate(model, name) {
  const steps = middleOf(model, name);
  if (steps === undefined) return;
  const at = (multiple) => trained(model, name, { steps, multiple, seed: firstSeed, isForRate: true });
  for (const multiple of multiples.first) await at(multiple);
  for (let { next } = rateOf(model, name); next !== undefined; { next } = rateOf(model, name))
    if (!(await at(next))) return;
}

/** A run, measured once; undefined where it cannot be. */
async function trained(model, name, { steps, multiple, seed, isForRate = false }) {
  const place = { model, method: name, steps, multiple, seed };
  const known = findRun(records, place);
  if (known || !present().includes(name)) return known;
  const isDefault = { ...place, steps: middleOf(model, name), multiple: 1, seed: firstSeed };
  const rate = multiple === 1 ? undefined : multiple * findRun(records, isDefault)?.rate;
  const measured = await run(name, { model, steps, seed, rate });
  if (!measured) return undefined;
  const record = { kind: "run", ...place, isForRate, threads: common.threads, ...measured };
  add(record);
  const percent = (value) => (value === undefined ? "–" : `${(100 * value).toFixed(2)} %`);
  const { validationAccuracy, testAccuracy, diverged } = measured;
  const outcome = diverged
    ? "diverged"
    : `validation ${percent(validationAccuracy)}, test ${percent(testAccuracy)}`;
  console.error(
    `${model}, ${methods[name].label}: ${steps} steps, seed ${seed}, rate ${short(measured.rate)} (× ${multiple}): ` +
      `${outcome}; training at most ${short(secondsLeft() / 60, 2)} min more`,
  );
  return record;
}

/** Training time of all that may still run. */
function secondsLeft() {
  let total = 0;
  for (const model of models)
    for (const name of present()) {
      const perStep = secondsPerStep(records, model, name) ?? 0;
      const { best = 1 } = rateOf(model, name);
      if (isReached(model, name, best)) continue;
      const missing = (place) => (findRun(records, { model, method: name, ...place }) ? 0 : 1);
      const middle = middleOf(model, name) ?? 0;
      for (const multiple of multiples.first)
        total += middle * perStep * missing({ steps: middle, multiple, seed: firstSeed });
      for (const steps of budgets.filter((one) => !isTooLong(model, name, one)))
        for (const seed of [firstSeed, ...otherSeeds])
          total += steps * perStep * missing({ steps, multiple: best, seed });
    }
  return total;
}

/** What is known of a method: a row, or none. */
function summary(model, method) {
  const { best } = rateOf(model, method);
  const perStep = secondsPerStep(records, model, method);
  if (best === undefined || perStep === undefined) return [];
  const curve = curveOf(records, { model, method, multiple: best });
  const reached = stepsTo(curve, targets[model]);
  const { rate, version } = runsOf(records, model, method).find(({ multiple }) => multiple === best);
  return [
    {
      ...{
        model,
        method,
        label: methods[method].label,
        target: targets[model],
        version,
        multiple: best,
        rate,
      },
      millisecondsPerStep: 1000 * perStep,
      isTimedInTurns: isTimed(model, method),
      stepsTo: reached?.steps,
      secondsTo: reached && reached.steps * perStep,
      isBound: reached?.isBound ?? false,
      curve,
    },
  ];
}

function print(rows) {
  const exact = (model) => rows.find((row) => row.model === model && row.method === "exact")?.secondsTo;
  return table(
    [
      ...["model", "method", "ms a step", "rate", "steps to target", "seconds to target", "÷ exact here"],
      "best accuracy, at seconds",
    ],
    rows.map((row) => {
      const best = row.curve.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
      const bound = row.isBound ? "≤ " : "";
      return [
        `${row.model}, ${100 * row.target} %`,
        row.label,
        `${short(row.millisecondsPerStep)}${row.isTimedInTurns ? "" : " (not in turns)"}`,
        `${short(row.rate)} (× ${row.multiple})`,
        row.stepsTo === undefined ? "not reached" : `${bound}${Math.round(row.stepsTo)}`,
        row.stepsTo === undefined ? "–" : `${bound}${short(row.secondsTo)}`,
        row.stepsTo === undefined ? "–" : short(row.secondsTo / exact(row.model)),
        `${(100 * best.accuracy).toFixed(2)} % at ${short(best.seconds)} (${best.seeds} seeds)`,
      ];
    }),
  );
}
