/** What the study of feedback claims, held against what it measured; each verdict with the error rate that it is decided by. */
import { bestRuns } from "../best-runs.ts";
import { median } from "../frontier/summary.ts";
import { binomialTail, falseAlarmsOfRuns } from "../significance.ts";
import { groupBy, halfWidth95, moments, numberIn } from "../statistics.ts";
import type { Reason, Row, Verdict } from "../study.ts";
import { type Judgement, undecided, verdictOf } from "../verdict.ts";
import { signed } from "../wording.ts";
import { baseCell, cellKey, cellName, methodNames, networkName } from "./cells.ts";
import { cellOf, type Feedback, rowsAlong, short } from "./charts.ts";

/** Standard errors beyond which chance alone goes once in a hundred, on one side. */
const onePercent = 2.326;
/** A share of ‖∇f‖² below which a guess alone is as good as exact, and there is nothing to correct. */
const leastBias = 1e-4;
/** Steps after which the variance is looked at. */
const taughtSteps = 200;
/** A share of ‖∇f‖² this small makes no difference to a user. */
const negligible = 0.05;
/** A gap in accuracy of which shares can be told, in points. */
const leastGap = 1;
/** So many times smaller is the variance to be by then. */
const leastRatio = 10;

export function feedbackVerdicts(results: Feedback): readonly Verdict[] {
  return [
    unbiased(results),
    variesLess(results),
    learnsJacobian(results),
    trainsCloser(results),
    cosineMisleads(results),
    variesMoreWithDepth(results),
    helpsLessWithTangents(results),
  ];
}

/** A verdict on a claim of ours, in words for both ways in which it may not hold. */
function judge({
  against,
  open,
  ...given
}: Omit<Judgement, "reason"> & { readonly against: string; readonly open: string }): Verdict {
  const reason: Reason =
    given.holds === false ? { fault: "ours", why: against } : { fault: "sample", why: open };
  return verdictOf({ ...given, reason });
}

const isFeedback = (gamma: number) => (row: Row) => row.guess === "feedback" && row.gamma === gamma;
const isNone = (row: Row) => row.guess === "none";
const measured = ({ summary }: Feedback) => summary.filter(({ part }) => part === "quality");

/**
 * Is the bias² at γ = 1 zero, and would one be seen that matters? Each measurement counts relative to the bias² of the guess alone,
 * which is what tangents correct, and by its precision.
 */
function unbiased(results: Feedback): Verdict {
  const statement = "Tangents correct feedback without bias (γ = 1)";
  const pairs = groupBy(measured(results), ["network", "width", "depth", "k", "step"]).flatMap((group) => {
    const [corrected, alone] = [group.find(isFeedback(1)), group.find(isFeedback(0))];
    const whole = alone ? numberIn(alone, "bias") : 0;
    if (!corrected || whole < leastBias) return [];
    // The spread of a measured bias² is that of the variance, whose own error is small.
    const weight = (whole / numberIn(corrected, "variance")) ** 2;
    return [
      {
        weight,
        share: numberIn(corrected, "bias") / whole,
        error: numberIn(corrected, "bias_error") / whole,
      },
    ];
  });
  if (pairs.length === 0) return undecided(statement, "it takes measurements with γ = 1 and γ = 0");
  const total = pairs.reduce((sum, { weight }) => sum + weight, 0);
  const share = pairs.reduce((sum, pair) => sum + (pair.weight / total) * pair.share, 0);
  const error = Math.hypot(...pairs.map((pair) => (pair.weight / total) * pair.error));
  const most = share + onePercent * error;
  return judge({
    statement,
    holds: share > onePercent * error ? false : most < 0.1 ? true : undefined,
    evidence:
      `over ${pairs.length} measurements, bias² is ${percent(share)} ± ${percent(error)} % (standard error) of that of the guess alone, so at most ` +
      `${percent(most)} %; an estimate without bias is called biased once in a hundred studies.`,
    against: "estimates of this library lean to one side",
    open: "the draws are too few to see as much bias as would matter",
  });
}

/** Is the variance ten times below that of tangents alone at the same parameters? */
function variesLess(results: Feedback): Verdict {
  const statement = `After ${taughtSteps} steps the variance is at most a tenth of what it is without a guess`;
  const base = cellKey(baseCell(results.settings));
  const step = results.settings.points.filter((point) => point >= taughtSteps).sort((a, b) => a - b)[0];
  const rows = measured(results).filter((row) => row.step === step && cellKey(cellOf(row)) === base);
  const ratio = varianceRatio(rows);
  if (step === undefined || !ratio)
    return undecided(statement, `it takes the mlp, measured after ${taughtSteps} steps with γ = 1`);
  const [low, high] = [ratio.log - onePercent * ratio.error, ratio.log + onePercent * ratio.error];
  const least = Math.log(leastRatio);
  return judge({
    statement,
    holds: low > least ? true : high < least ? false : undefined,
    evidence:
      `${cellName(rows[0] as Row)}, step ${step}: ${short(ratio.without)} of ‖∇f‖² without a guess, ${short(ratio.with)} with feedback, ` +
      `${times(ratio.log)} times less (${times(low)} to ${times(high)}; either end is missed once in a hundred studies).`,
    against: "feedback learns less than we claim",
    open: "the draws leave open on which side of ten times it lies",
  });
}

interface Ratio {
  readonly without: number;
  readonly with: number;
  /** Logarithm of the ratio, and its standard error. */
  readonly log: number;
  readonly error: number;
}

/** How many times smaller the variance is with feedback, γ = 1, than without a guess. */
function varianceRatio(rows: readonly Row[]): Ratio | undefined {
  const [none, corrected] = [rows.find(isNone), rows.find(isFeedback(1))];
  if (!none || !corrected) return undefined;
  const [without, own] = [numberIn(none, "variance"), numberIn(corrected, "variance")];
  if (!(without > 0 && own > 0)) return undefined;
  const error = Math.hypot(
    numberIn(none, "variance_error") / without,
    numberIn(corrected, "variance_error") / own,
  );
  return { without, with: own, log: Math.log(without / own), error };
}

/** Does the matrix foresee what the mean Jacobian would? */
function learnsJacobian(results: Feedback): Verdict {
  const statement = "The matrix comes to foresee as much as the mean Jacobian does";
  const last = Math.max(...results.settings.points);
  const rows = measured(results).filter(({ step }) => step === last);
  const pairs = groupBy(rows, ["network", "width", "depth", "k"]).flatMap((group) => {
    const [alone, ideal] = [group.find(isFeedback(0)), group.find(({ guess }) => guess === "mean Jacobian")];
    return alone && ideal ? [{ alone: numberIn(alone, "bias"), ideal: numberIn(ideal, "bias") }] : [];
  });
  if (pairs.length < 3)
    return undecided(
      statement,
      "it takes three networks or numbers of tangents or more, measured with γ = 0",
    );
  const excess = moments(pairs.map(({ alone, ideal }) => alone - ideal));
  const half = halfWidth95(excess);
  const mean = (of: "alone" | "ideal") => percent(moments(pairs.map((pair) => pair[of])).mean);
  return judge({
    statement,
    holds: excess.mean + half < negligible ? true : excess.mean - half > negligible ? false : undefined,
    evidence:
      `after ${last} steps the guess leaves ${mean("alone")} % of ‖∇f‖² unforeseen, the mean Jacobian ${mean("ideal")} %, on average over ${pairs.length} cells; ` +
      `the difference is ${percent(excess.mean)} ± ${percent(half)} % (95 % interval), and ${percent(negligible)} % count as none.`,
    against: "feedback foresees less than its matrix could",
    open: "networks and numbers of tangents differ too much among themselves",
  });
}

/** Test accuracies in percent at the best rate, by cell and seed; nothing for cells where every rate diverged. */
function accuracies({ rows }: Feedback, of: (row: Row) => boolean): ReadonlyMap<string, number> {
  const runs = rows.filter((row) => row.part === "accuracy" && of(row));
  return new Map(
    groupBy(runs, ["network", "width", "depth", "k", ...methodNames])
      .flatMap((group) => bestRuns(group, "rate"))
      .map((row) => [`${cellKey(cellOf(row))}, seed ${row.seed}`, 100 * numberIn(row, "accuracy")]),
  );
}

/** The exact gradient's accuracy with the network and seed of a forward run. */
function exactOf(results: Feedback): (key: string) => number | undefined {
  const known = accuracies(results, ({ guess }) => guess === "exact");
  return (key) => known.get(key.replace(/\/k=\d+/, ""));
}

/** Is more than half of the gap between tangents alone and the exact gradient closed? */
function trainsCloser(results: Feedback): Verdict {
  const statement =
    "Feedback closes more than half of the gap in accuracy between tangents alone and the exact gradient";
  const { tangents } = results.settings;
  const exact = exactOf(results);
  const none = accuracies(results, (row) => isNone(row) && row.k === tangents);
  const own = accuracies(results, (row) => isFeedback(1)(row) && row.k === tangents);
  const runs = [...own].flatMap(([key, accuracy]) => {
    const [without, best] = [none.get(key), exact(key)];
    if (without === undefined || best === undefined || best - without < leastGap) return [];
    return [{ gap: best - without, share: (accuracy - without) / (best - without) }];
  });
  if (runs.length < 3)
    return undecided(
      statement,
      `it takes three networks or seeds or more with a gap of ${leastGap} point, trained without a guess, with γ = 1 and exactly`,
    );
  const closed = moments(runs.map(({ share }) => share));
  const half = halfWidth95(closed);
  const gap = moments(runs.map((run) => run.gap)).mean;
  return judge({
    statement,
    holds: closed.mean - half > 0.5 ? true : closed.mean + half < 0.5 ? false : undefined,
    evidence:
      `over ${runs.length} networks and seeds with a gap of ${leastGap} point or more, k = ${tangents}: ${(100 * closed.mean).toFixed(0)} ± ${(100 * half).toFixed(0)} % ` +
      `(95 % interval) of ${gap.toFixed(1)} points on average.`,
    against: "feedback gains less than we claim",
    open: "networks and seeds differ too much among themselves",
  });
}

/** Has the guess alone the higher cosine, and the lower accuracy? */
function cosineMisleads(results: Feedback): Verdict {
  const statement = "The guess alone (γ = 0) has the higher cosine, and ends worse: cosine misleads";
  const last = Math.max(...results.settings.points);
  const cosines = groupBy(
    measured(results).filter(({ step }) => step === last),
    ["network", "width", "depth", "k"],
  ).flatMap((group) => {
    const [alone, corrected] = [group.find(isFeedback(0)), group.find(isFeedback(1))];
    return alone && corrected ? [numberIn(alone, "cosine") - numberIn(corrected, "cosine")] : [];
  });
  // A method that diverged at every rate ends worst.
  const accuracyOf = (gamma: number) => accuracies(results, isFeedback(gamma));
  const [alone, corrected] = [accuracyOf(0), accuracyOf(1)];
  const differences = [...new Set([...alone.keys(), ...corrected.keys()])].map(
    (key) => (corrected.get(key) ?? 0) - (alone.get(key) ?? 0),
  );
  if (cosines.length < leastCoins || differences.length < leastCoins)
    return undecided(
      statement,
      `it takes ${leastCoins} networks or numbers of tangents or more, measured and trained with γ = 0 and γ = 1`,
    );
  const [higher, better] = [cosines, differences].map((values) => ({
    of: values.filter((value) => value !== 0).length,
    wins: values.filter((value) => value > 0).length,
    losses: values.filter((value) => value < 0).length,
  })) as [Wins, Wins];
  const isRare = (wins: number, of: number) => binomialTail(wins, of, 0.5) <= falseAlarmsOfRuns;
  return judge({
    statement,
    holds:
      isRare(higher.wins, higher.of) && isRare(better.wins, better.of)
        ? true
        : isRare(higher.losses, higher.of) || isRare(better.losses, better.of)
          ? false
          : undefined,
    evidence:
      `after ${last} steps its cosine is higher than that of γ = 1 in ${higher.wins} of ${higher.of} cells, and it reads fewer test images at the best rate ` +
      `of each in ${better.wins} of ${better.of} runs; coins would fall so in ${percent(binomialTail(higher.wins, higher.of, 0.5))} and ` +
      `${percent(binomialTail(better.wins, better.of, 0.5))} % of all studies (5 % are allowed). The median difference is ${median(differences).toFixed(1)} points.`,
    against: "this is a claim of ours, and it is too broad",
    open: "too few networks and seeds agree",
  });
}

/** Fewer coins fall on one side more often than is allowed. */
const leastCoins = 5;

/** Comparisons that are no tie, and how they ended. */
interface Wins {
  readonly of: number;
  readonly wins: number;
  readonly losses: number;
}

/** Is the variance reduced less in deep networks? */
function variesMoreWithDepth(results: Feedback): Verdict {
  const statement = "The deeper the network, the less of the variance goes";
  const last = Math.max(...results.settings.points);
  const rows = rowsAlong(results, "quality", "depth").filter(({ step }) => step === last);
  const depths = groupBy(rows, ["depth"])
    .toSorted((a, b) => numberIn(a[0] as Row, "depth") - numberIn(b[0] as Row, "depth"))
    .flatMap((group) => {
      const ratio = varianceRatio(group);
      const foreseen = group.find(({ guess }) => guess === "mean Jacobian");
      return ratio && foreseen ? [{ name: networkName(group[0] as Row), ratio, foreseen }] : [];
    });
  const [shallow, deep] = [depths[0], depths.at(-1)];
  if (!shallow || !deep || shallow === deep)
    return undecided(statement, "it takes two depths, measured with γ = 1");
  const fall = shallow.ratio.log - deep.ratio.log;
  const error = Math.hypot(shallow.ratio.error, deep.ratio.error);
  const listed = depths.map(({ name, ratio }) => `${times(ratio.log)} times less with ${name}`);
  const left = [shallow, deep].map(({ foreseen }) => percent(numberIn(foreseen, "bias")));
  return judge({
    statement,
    holds: fall > onePercent * error ? true : fall < -onePercent * error ? false : undefined,
    evidence:
      `${listed.join(", ")} after ${last} steps (chance alone makes the last ${times(onePercent * error)} times smaller than the first once in a hundred ` +
      `studies). Even the mean Jacobian leaves ${left[0]} and ${left[1]} % of ‖∇f‖² in the first and the last of them ` +
      "unforeseen: examples have Jacobians of their own.",
    against: "this is a claim of ours, and depth does not act so",
    open: "the draws differ more than the depths do",
  });
}

/** Are fewer points of accuracy gained where tangents are many? */
function helpsLessWithTangents(results: Feedback): Verdict {
  const statement = "The more tangents, the less accuracy is gained";
  const base = baseCell(results.settings);
  const gainsAt = (k: number) => {
    const at = (row: Row) =>
      row.network === "mlp" && row.k === k && row.width === base.width && row.depth === base.depth;
    const none = accuracies(results, (row) => at(row) && isNone(row));
    return [...accuracies(results, (row) => at(row) && isFeedback(1)(row))].flatMap(([key, accuracy]) => {
      const without = none.get(key);
      return without === undefined ? [] : [accuracy - without];
    });
  };
  const counts = [...new Set([base.k, ...results.settings.counts])].sort((a, b) => a - b);
  const gains = counts.map((k) => ({ k, gains: gainsAt(k) })).filter(({ gains: own }) => own.length > 0);
  if (gains.length < 2)
    return undecided(statement, "it takes two numbers of tangents, trained with and without a guess");
  const means = gains.map(({ gains: own }) => moments(own).mean);
  const [falling, rising] = [means, [...means].reverse()].map(chanceOfOrder) as [number, number];
  return judge({
    statement,
    holds: falling <= falseAlarmsOfRuns ? true : rising <= falseAlarmsOfRuns ? false : undefined,
    evidence:
      `${gains.map(({ k }, index) => `k = ${k}: ${signed(means[index] as number)}`).join(", ")} points at the best rate of each; ` +
      `chance alone puts ${gains.length} numbers so well in falling order in ${(100 * falling).toFixed(0)} % of all studies (5 % are allowed).`,
    against: "this is a claim of ours, and gains do not fall so",
    open: "too few numbers of tangents to rule out that chance put them in this order",
  });
}

/** The share of all orders of these numbers in which at least as many pairs fall as in this one (Kendall's test, exact). */
export function chanceOfOrder(values: readonly number[]): number {
  const fallingPairs = (order: readonly number[]) =>
    order.reduce((sum, value, i) => sum + order.slice(i + 1).filter((later) => later < value).length, 0);
  const orders = (rest: readonly number[]): number[][] =>
    rest.length === 0
      ? [[]]
      : rest.flatMap((value, i) => orders(rest.toSpliced(i, 1)).map((others) => [value, ...others]));
  const all = orders(values);
  return all.filter((order) => fallingPairs(order) >= fallingPairs(values)).length / all.length;
}

/** "0.42": of a share, in percent. */
function percent(share: number): string {
  return short(100 * share);
}

/** "3.3", or "over 1,000": how many times, by its logarithm. */
function times(logarithm: number): string {
  const value = Math.exp(logarithm);
  return value > 1000 ? "over 1,000" : String(Number(value.toPrecision(2)));
}
