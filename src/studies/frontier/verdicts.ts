/** What the study of cost claims, held against what it measured. */
import {
  falseAlarms,
  falseAlarmsOfRuns,
  freedomOf,
  jointTail,
  jointTestText,
  studentTail,
} from "../significance.ts";
import { halfWidth95, type Moments, moments, numberIn } from "../statistics.ts";
import type { Fault, Results, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import { signed } from "../wording.ts";
import type { FrontierSettings } from "./cells.ts";
import { median } from "./summary.ts";

type Frontier = Results<FrontierSettings>;

/** Share of cells that may be lower beyond their 95 % interval, where chance gives at most 2.5 %. */
const allowedLower = 0.05;
/** A relative difference of cosines this small makes none to a user. */
const negligible = 0.02;
/** An accuracy this close makes no difference, in percent. */
const negligibleAccuracy = 1;

export function frontierVerdicts(results: Frontier): readonly Verdict[] {
  return [
    dominates(results, {
      statement: "Activations per example have a higher cosine than weights that cost as much work or more",
      better: (row) => row.estimator === "activations",
      worse: (row) => row.estimator === "dense" || row.estimator === "low-rank",
      cost: "units",
    }),
    dominates(results, {
      statement: "Activations per example have a higher cosine than weights that take as long or longer",
      better: (row) => row.estimator === "activations",
      worse: (row) => row.estimator === "dense" || row.estimator === "low-rank",
      cost: "milliseconds",
    }),
    dominates(results, {
      statement: "Low-rank tangents have a higher cosine than dense ones that cost as much work or more",
      better: (row) => row.estimator === "low-rank",
      worse: (row) => row.estimator === "dense",
      cost: "units",
    }),
    dominates(results, {
      statement: "Low-rank tangents have a higher cosine than dense ones that take as long or longer",
      better: (row) => row.estimator === "low-rank",
      worse: (row) => row.estimator === "dense",
      cost: "milliseconds",
    }),
    dominates(results, {
      statement:
        "Tangents that correct feedback have a higher cosine than activations alone that cost as much work or more",
      better: (row) => row.estimator === "feedback",
      worse: (row) => row.estimator === "activations",
      cost: "units",
    }),
    asGood(results, {
      statement: "Activations per example have at least the cosine of shared ones at equal k",
      column: "estimator",
      better: "activations",
      worse: "shared",
    }),
    asGood(results, {
      statement: "Rademacher tangents have at least the cosine of Gaussian ones at equal k",
      column: "sampler",
      better: "rademacher",
      worse: "gaussian",
    }),
    asGood(results, {
      statement: "Projection has at least the cosine of the mean at equal k",
      column: "aggregator",
      better: "projection",
      worse: "mean",
    }),
    asGood(results, {
      statement: "Low-rank tangents that correct momentum have at least the cosine of those alone at equal k",
      column: "estimator",
      better: "momentum",
      worse: "low-rank",
    }),
    trainsAsWell(results, {
      statement: "Rademacher tangents train at least as well as Gaussian ones",
      column: "sampler",
      better: "rademacher",
      worse: "gaussian",
    }),
    trainsAsWell(results, {
      statement: "Projection trains at least as well as the mean",
      column: "aggregator",
      better: "projection",
      worse: "mean",
    }),
    trainsAsWell(results, {
      statement: "Activations train at least as well where they correct feedback",
      column: "estimator",
      better: "feedback",
      worse: "activations",
    }),
    trainsAsWell(results, {
      statement: "Weights train at least as well where low-rank tangents correct momentum",
      column: "estimator",
      better: "momentum",
      worse: "low-rank",
    }),
    trainsBest(results),
  ];
}

/** What is compared: rows with one value of a column with those that have another and agree in all else. */
interface Comparison {
  readonly statement: string;
  readonly column: "estimator" | "sampler" | "aggregator";
  readonly better: string;
  readonly worse: string;
}

const cellNames = ["part", "model", "estimator", "sampler", "rank", "k", "aggregator"];

/** Pairs of rows that agree in the names but for the compared column. */
function pairsOf(
  rows: readonly Row[],
  names: readonly string[],
  { column, better, worse }: Comparison,
): readonly (readonly [Row, Row])[] {
  const others = names.filter((name) => name !== column);
  const keyOf = (row: Row) => JSON.stringify(others.map((name) => row[name] ?? null));
  const rivals = new Map(rows.filter((row) => row[column] === worse).map((row) => [keyOf(row), row]));
  return rows.flatMap((row) => {
    const rival = row[column] === better ? rivals.get(keyOf(row)) : undefined;
    return rival ? [[row, rival] as const] : [];
  });
}

/** Draw by draw on the same batches: is the cosine lower beyond chance in too many cells, or over all of them? */
function asGood({ rows }: Frontier, comparison: Comparison): Verdict {
  const { statement, better, worse } = comparison;
  const pairs = pairsOf(
    rows.filter(({ part }) => part === "quality"),
    [...cellNames, "point", "draw"],
    comparison,
  );
  const cells = new Map<string, (readonly [number, number])[]>();
  const rowByKey = new Map<string, Row>();
  for (const [row, rival] of pairs) {
    const key = JSON.stringify([...cellNames, "point"].map((name) => row[name] ?? null));
    const draws = cells.get(key) ?? [];
    draws.push([numberIn(row, "cosine"), numberIn(rival, "cosine")]);
    cells.set(key, draws);
    rowByKey.set(key, row);
  }
  const compared = [...cells]
    .filter(([, draws]) => draws.length > 1)
    .map(([key, draws]) => ({ row: rowByKey.get(key), ...relativeDifference(draws) }));
  if (compared.length < 2)
    return undecided(
      statement,
      `it takes two cells or more with ${better} and with ${worse}, of two draws or more`,
    );
  const lowered = compared.filter((one) => one.mean + one.width < -negligible);
  const lower = lowered.length;
  // Cells weigh alike: spreads of a few draws are no good weights. Aggregators of a cell share its tangents, so they are one.
  const apart = new Map<string, number[]>();
  for (const { row, mean: own } of compared) {
    const key = JSON.stringify(
      [...cellNames, "point"].map((name) => (name === "aggregator" ? null : (row?.[name] ?? null))),
    );
    apart.set(key, [...(apart.get(key) ?? []), own]);
  }
  const given = moments([...apart.values()].map((own) => moments(own).mean));
  const [mean, width] = [given.mean, halfWidth95(given)];
  const chance = jointTail(
    compared.map(({ tail }) => tail),
    "any",
  );
  const isMany = lower > allowedLower * compared.length;
  const isWorse = (isMany && chance < falseAlarms) || mean + width < -negligible;
  const allowed = Math.floor(allowedLower * compared.length);
  const test = isMany ? `; ${jointTestText(chance)}` : "";
  return verdictOf({
    statement,
    holds: isWorse ? false : !isMany && mean - width > -negligible ? true : undefined,
    reason: isWorse
      ? {
          fault: "ours",
          why: `this is a claim of ours, and it is too broad: ${worse} is better in some cells`,
        }
      : { fault: "sample", why: "the draws differ more among themselves than the cells do" },
    evidence:
      `on the same batches, the cosine with ${better} instead of ${worse} is ${signed(100 * mean)} ± ${(100 * width).toFixed(1)} % higher ` +
      `on average over ${compared.length} cells (${describeRange(compared.map((one) => 100 * one.mean))}), and lower by more than ${100 * negligible} % ` +
      `beyond the 95 % interval in ${lower}${tally(lowered)}, where ${allowed} ${allowed === 1 ? "is" : "are"} allowed for chance${test}.`,
  });
}

/** " (activations 3, blocks 1)" */
function tally(cells: readonly { readonly row: Row | undefined }[]): string {
  const names = cells.map(({ row }) => String(row?.estimator));
  const parts = [...new Set(names)].map((name) => `${name} ${names.filter((one) => one === name).length}`);
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

/**
 * Of paired cosines: mean difference relative to the size of both, its 95 % half-width, and how often chance puts it so far below what
 * is negligible.
 */
function relativeDifference(draws: readonly (readonly [number, number])[]): {
  readonly mean: number;
  readonly width: number;
  readonly tail: number;
} {
  const size = moments(draws.map(([a, b]) => (Math.abs(a) + Math.abs(b)) / 2)).mean || 1;
  const differences = moments(draws.map(([a, b]) => (a - b) / size));
  return {
    mean: differences.mean,
    width: halfWidth95(differences),
    tail: tailBelow(differences, { count: draws.length, mean: 0, deviation: 0 }, negligible),
  };
}

function describeRange(values: readonly number[]): string {
  return `${signed(Math.min(...values))} to ${signed(Math.max(...values))}`;
}

interface Domination {
  readonly statement: string;
  readonly better: (row: Row) => boolean;
  readonly worse: (row: Row) => boolean;
  readonly cost: "units" | "milliseconds";
}

/**
 * Compares each cell of one kind with the best of the other kind that costs no more, at the same point of the same model.
 * Cells cheaper than all of the other kind decide nothing.
 */
function dominates({ summary }: Frontier, { statement, better, worse, cost }: Domination): Verdict {
  const cells = summary.filter(({ part }) => part === "quality");
  const compared = cells.filter(worse).flatMap((row) => {
    const rivals = cells.filter(
      (one) =>
        better(one) &&
        one.model === row.model &&
        one.point === row.point &&
        numberIn(one, cost) <= numberIn(row, cost),
    );
    if (rivals.length === 0) return [];
    const best = rivals.reduce((a, b) => (numberIn(b, "cosine_mean") > numberIn(a, "cosine_mean") ? b : a));
    return [{ row, best }];
  });
  const all = cells.filter(worse).length;
  if (compared.length === 0)
    return undecided(
      statement,
      all === 0 ? "it takes cells of both kinds" : `none of ${all} cells has a rival that costs no more`,
    );
  const lost = compared.filter(({ row, best }) => {
    const spread = Math.hypot(Number(row.cosine_ci95 ?? 0), Number(best.cosine_ci95 ?? 0));
    return numberIn(best, "cosine_mean") - numberIn(row, "cosine_mean") < -spread;
  });
  const ratios = compared.map(
    ({ row, best }) => numberIn(best, "cosine_mean") / numberIn(row, "cosine_mean"),
  );
  const chance = jointTail(
    compared.map(({ row, best }) => tailBelow(momentsIn(best, "cosine"), momentsIn(row, "cosine"), 0)),
    "any",
  );
  const where = [...new Set(lost.map(({ row }) => `${row.model}, ${row.point}`))].slice(0, 3).join("; ");
  const test = lost.length > 0 ? `; ${jointTestText(chance)}` : "";
  return verdictOf({
    statement,
    holds: chance >= falseAlarms,
    reason: {
      fault: "ours",
      why:
        `this is a claim of ours, and it is too broad: a cheaper rival is worse at ${where}` +
        (cost === "milliseconds" ? ", by the times of this machine" : ""),
    },
    evidence:
      `of ${all} cells, ${compared.length} have a rival that costs no more; its cosine is ${median(ratios).toFixed(2)} times ` +
      `theirs in the middle (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), and lower beyond the 95 % intervals in ` +
      `${lost.length}${where ? ` (${where})` : ""}${test}.`,
  });
}

/** The moments over draws or seeds that a row of the summary tells. */
function momentsIn(row: Row, value: "cosine" | "accuracy"): Moments {
  return {
    count: numberIn(row, "count"),
    mean: numberIn(row, `${value}_mean`),
    deviation: numberIn(row, `${value}_sd`),
  };
}

/** How often chance puts one mean so far below another less a margin; 1 for one that is not below, or of one draw. */
function tailBelow(own: Moments, other: Moments, margin: number): number {
  const below = other.mean - margin - own.mean;
  if (below <= 0 || own.count < 2 || other.count < 2) return 1;
  const error = Math.sqrt(own.deviation ** 2 / own.count + other.deviation ** 2 / other.count);
  return studentTail(below / error, freedomOf(own, other));
}

/** Differences of accuracy at the best factor, over all trained cells. */
function trainsAsWell({ summary }: Frontier, comparison: Comparison): Verdict {
  const { statement, better, worse } = comparison;
  const trained = summary.filter(({ part }) => part === "accuracy");
  const differences = pairsOf(trained, cellNames, comparison).map(([row, rival]) => {
    const accuracy = (one: Row) => (typeof one.accuracy_mean === "number" ? 100 * one.accuracy_mean : 0);
    return accuracy(row) - accuracy(rival);
  });
  if (differences.length < 2)
    return undecided(statement, `it takes two trained cells or more with ${better} and with ${worse}`);
  const given = moments(differences);
  const width = halfWidth95(given);
  const isWorse = given.mean + width < 0 && given.mean < -negligibleAccuracy;
  return verdictOf({
    statement,
    holds: isWorse ? false : given.mean - width > -negligibleAccuracy ? true : undefined,
    reason: isWorse
      ? { fault: "ours", why: `this is a claim of ours: networks learn more with ${worse}` }
      : {
          fault: "sample",
          why: `so few trained cells do not tell a difference of ${negligibleAccuracy} percentage point from chance`,
        },
    evidence:
      `over ${given.count} trained cells, each at its best learning rate, the test accuracy with ${better} instead of ${worse} is ` +
      `${signed(given.mean)} ± ${width.toFixed(1)} percentage points higher on average (${describeRange(differences)}).`,
  });
}

/** Is the best forward estimator of every model one of activations per example? */
function trainsBest({ summary, settings }: Frontier): Verdict {
  const statement = "Activations per example reach the highest accuracy of the forward estimators";
  const compared = settings.trainedModels.flatMap((model) => {
    const trained = summary.filter(
      (row) =>
        row.part === "accuracy" &&
        row.model === model &&
        row.estimator !== "exact" &&
        typeof row.accuracy_mean === "number",
    );
    const bestOf = (rows: readonly Row[]) =>
      rows.reduce<Row | undefined>(
        (a, b) => (a && numberIn(a, "accuracy_mean") >= numberIn(b, "accuracy_mean") ? a : b),
        undefined,
      );
    const isOwn = ({ estimator }: Row) => estimator === "activations" || estimator === "feedback";
    const own = bestOf(trained.filter(isOwn));
    const other = bestOf(trained.filter((row) => !isOwn(row)));
    return own && other ? [{ model, own, other }] : [];
  });
  if (compared.length === 0)
    return undecided(statement, "it takes trained activations and another estimator");
  const gap = ({ own, other }: { readonly own: Row; readonly other: Row }) =>
    100 * (numberIn(own, "accuracy_mean") - numberIn(other, "accuracy_mean"));
  const percent = (row: Row) => `${(100 * numberIn(row, "accuracy_mean")).toFixed(1)} %`;
  const lost = compared.filter((pair) => gap(pair) <= -negligibleAccuracy);
  return verdictOf({
    statement,
    holds: lost.length === 0,
    reason: { fault: faultOf(lost), why: describeLost(lost) },
    evidence: `${compared
      .map(
        ({ model, own, other }) =>
          `${model} ${percent(own)}${own.estimator === "feedback" ? " (feedback)" : ""}, next ${percent(other)} (${other.estimator})`,
      )
      .join("; ")}; a difference below ${negligibleAccuracy} percentage point counts as none.`,
  });
}

/** The best trained activations of a model, and the best other estimator. */
interface Pair {
  readonly model: string;
  readonly own: Row;
  readonly other: Row;
}

/** One seed may be luck; several that agree are not. */
function faultOf(lost: readonly Pair[]): Fault {
  const isLuck = ({ own, other }: Pair) =>
    tailBelow(momentsIn(own, "accuracy"), momentsIn(other, "accuracy"), 0) > falseAlarmsOfRuns;
  return lost.every(isLuck) ? "sample" : "ours";
}

function describeLost(lost: readonly Pair[]): string {
  const names = lost.map(({ model, other }) => `${model} with ${other.estimator}`).join(", ");
  return faultOf(lost) === "sample"
    ? `others are ahead (${names}) by so few seeds that it may be luck`
    : `this is a claim of ours, and it is too broad: others are ahead (${names})`;
}
