// What time-to-accuracy.mjs measured: a JSON Lines file that runs append to, and what follows from it.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { median } from "./measure.mjs";

const version = 1;

/**
 * Opens a file of records, or begins one.
 *
 * @param settings what all its records have in common; other ones are refused
 * @returns records, all that were read and added; add, which writes one at once
 * @throws when the file is none of ours, or holds records of other settings
 */
export function openRecords(file, settings) {
  const header = JSON.stringify({ bench: "time-to-accuracy", version, ...settings });
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (text.trim() === "") writeFileSync(file, `${header}\n`);
  const [first = header, ...lines] = text.split("\n").filter((line) => line !== "");
  if (first !== header)
    throw new Error(
      `${file} begins with ${first.slice(0, 200)}, expected ${header}; give another file with --file.`,
    );
  // An interrupted write leaves half a line at the end, which the next one must not join.
  if (text !== "" && !text.endsWith("\n")) appendFileSync(file, "\n");
  const records = lines.flatMap(parsed);
  const add = (record) => {
    appendFileSync(file, `${JSON.stringify(record)}\n`);
    records.push(record);
  };
  return { records, add };
}

function parsed(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** All runs of a method. */
export const runsOf = (records, model, method) =>
  records.filter((one) => one.kind === "run" && one.model === model && one.method === method);

/** The run of these steps, multiple of the default rate, and seed; undefined where there is none. */
export function findRun(records, { model, method, steps, multiple, seed }) {
  return runsOf(records, model, method).find(
    (run) => run.steps === steps && run.multiple === multiple && run.seed === seed,
  );
}

/** What the last session that timed a method in turns with the others saw; nothing where none did. */
export function speedsOf(records, model, method) {
  const speeds = records.filter(
    (one) => one.kind === "speed" && one.model === model && one.method === method,
  );
  return speeds.filter(({ session }) => session === speeds.at(-1).session);
}

/** Seconds a step: the median of what was measured in turns, or else of the runs' own; undefined where nothing was. */
export function secondsPerStep(records, model, method) {
  const speeds = speedsOf(records, model, method);
  const known = (speeds.length > 0 ? speeds : runsOf(records, model, method)).flatMap((one) =>
    one.secondsPerStep === undefined ? [] : [one.secondsPerStep],
  );
  return known.length > 0 ? median(known) : undefined;
}

const accuracyOf = (run, which) => (run?.diverged ? 0 : (run?.[which] ?? 0));

/**
 * The multiple of the default rate with the best validation accuracy; the one nearest to the default where some are equal.
 *
 * @returns best; next, the multiple to try where the best is at an end of those tried; both undefined where none ran
 */
export function bestMultiple(runs, { smallest, largest }) {
  const distance = ({ multiple }) => Math.abs(Math.log2(multiple));
  const [best] = [...runs].sort(
    (a, b) =>
      accuracyOf(b, "validationAccuracy") - accuracyOf(a, "validationAccuracy") || distance(a) - distance(b),
  );
  if (!best) return {};
  const { multiple } = best;
  const tried = runs.map((run) => run.multiple);
  const beyond =
    multiple === Math.max(...tried)
      ? 2 * multiple
      : multiple === Math.min(...tried)
        ? multiple / 2
        : undefined;
  const next = beyond !== undefined && beyond >= smallest && beyond <= largest ? beyond : undefined;
  return { best: multiple, next };
}

/** Mean test accuracy of the seeds for each budget of steps, in order, at this multiple of the default rate. */
export function curveOf(records, { model, method, multiple }) {
  const all = runsOf(records, model, method).filter((run) => run.multiple === multiple);
  const perStep = secondsPerStep(records, model, method);
  return [...new Set(all.map(({ steps }) => steps))]
    .map((steps) => {
      const runs = all.filter((run) => run.steps === steps);
      const accuracies = runs.map((run) => accuracyOf(run, "testAccuracy"));
      return {
        steps,
        seconds: steps * perStep,
        seeds: runs.length,
        accuracy: accuracies.reduce((sum, value) => sum + value, 0) / runs.length,
        low: Math.min(...accuracies),
        high: Math.max(...accuracies),
      };
    })
    .sort((a, b) => a.steps - b.steps);
}

/**
 * When a target is reached.
 *
 * @param curve points { steps, accuracy } in the order of their steps
 * @returns steps: on a straight line over the logarithm of the steps from the point before the first one that reaches the
 *   target, or that first point's where there is none before; isBound, whether it is one; undefined where none reaches it
 */
export function stepsTo(curve, target) {
  const place = curve.findIndex(({ accuracy }) => accuracy >= target);
  if (place < 0) return undefined;
  const after = curve[place];
  const before = curve[place - 1];
  if (!before) return { steps: after.steps, isBound: true };
  const share = (target - before.accuracy) / (after.accuracy - before.accuracy);
  return { steps: before.steps * (after.steps / before.steps) ** share, isBound: false };
}
