/** What the study of feedback claims, held against what it measured; each verdict with the error rate that it is decided by. */
import { bestRuns } from "../best-runs.ts";
import { groupBy, halfWidth95, moments, numberIn } from "../statistics.ts";
import type { Row, Verdict } from "../study.ts";
import { signed } from "../wording.ts";
import { baseCell, cellKey, cellName, methodNames, networkName } from "./cells.ts";
import { cellOf, type Feedback, rowsAlong, short } from "./charts.ts";

/** Standard errors beyond which chance alone goes once in a hundred, on one side. */
const onePercent = 2.326;
/** Steps after which the variance is looked at. */
const taughtSteps = 200;
/** A share of ‖∇f‖² this small makes no difference to a user. */
const negligible = 0.05;
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

const isFeedback = (gamma: number) => (row: Row) => row.guess === "feedback" && row.gamma === gamma;
const isNone = (row: Row) => row.guess === "none";
const measured = ({ summary }: Feedback) => summary.filter(({ part }) => part === "quality");

/** Is the bias² at γ = 1 zero, and would one be seen that matters? */
function unbiased(results: Feedback): Verdict {
  const statement = "Tangents correct feedback without bias (γ = 1)";
  const rows = measured(results);
  const pairs = groupBy(rows, ["network", "width", "depth", "k", "step"]).flatMap((group) => {
    const [corrected, alone] = [group.find(isFeedback(1)), group.find(isFeedback(0))];
    return corrected && alone && numberIn(corrected, "variance") > 0 ? [{ corrected, alone }] : [];
  });
  if (pairs.length === 0)
    return { statement, holds: undefined, evidence: "it takes measurements with γ = 1 and γ = 0." };
  // The spread of a measured bias² is that of the variance, whose own error is small.
  const weights = pairs.map(({ corrected }) => numberIn(corrected, "variance") ** -2);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const pooled = (of: (pair: (typeof pairs)[number]) => number) =>
    pairs.reduce((sum, pair, index) => sum + ((weights[index] as number) / total) * of(pair), 0);
  const bias = pooled(({ corrected }) => numberIn(corrected, "bias"));
  const alone = pooled((pair) => numberIn(pair.alone, "bias"));
  const error = Math.sqrt(
    pairs.reduce(
      (sum, { corrected }, index) =>
        sum + (((weights[index] as number) / total) * numberIn(corrected, "bias_error")) ** 2,
      0,
    ),
  );
  const most = bias + onePercent * error;
  return {
    statement,
    holds: bias > onePercent * error ? false : most < alone / 10 ? true : undefined,
    evidence:
      `over ${pairs.length} measurements, weighted by their precision, bias² is ${percent(bias)} ± ${percent(error)} % of ‖∇f‖² (standard error), ` +
      `so at most ${percent(most)} % (an unbiased estimate is called biased once in a hundred studies); that of the guess alone is ${percent(alone)} %.`,
  };
}

/** Is the variance ten times below that of tangents alone at the same parameters? */
function variesLess(results: Feedback): Verdict {
  const statement = `After ${taughtSteps} steps the variance is at most a tenth of what it is without a guess`;
  const base = cellKey(baseCell(results.settings));
  const step = results.settings.points.filter((point) => point >= taughtSteps).sort((a, b) => a - b)[0];
  const rows = measured(results).filter((row) => row.step === step && cellKey(cellOf(row)) === base);
  const ratio = varianceRatio(rows);
  if (step === undefined || !ratio)
    return {
      statement,
      holds: undefined,
      evidence: `it takes the mlp, measured after ${taughtSteps} steps with γ = 1.`,
    };
  const [low, high] = [ratio.log - onePercent * ratio.error, ratio.log + onePercent * ratio.error];
  const least = Math.log(leastRatio);
  return {
    statement,
    holds: low > least ? true : high < least ? false : undefined,
    evidence:
      `${cellName(rows[0] as Row)}, step ${step}: ${short(ratio.without)} of ‖∇f‖² without a guess, ${short(ratio.with)} with feedback, ` +
      `${Math.exp(ratio.log).toFixed(1)} times less (${Math.exp(low).toFixed(1)} to ${Math.exp(high).toFixed(1)}; either end is missed once in a hundred studies).`,
  };
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
    return {
      statement,
      holds: undefined,
      evidence: "it takes three networks or numbers of tangents or more, measured with γ = 0.",
    };
  const excess = moments(pairs.map(({ alone, ideal }) => alone - ideal));
  const half = halfWidth95(excess);
  const mean = (of: "alone" | "ideal") => percent(moments(pairs.map((pair) => pair[of])).mean);
  return {
    statement,
    holds: excess.mean + half < negligible ? true : excess.mean - half > negligible ? false : undefined,
    evidence:
      `after ${last} steps the guess leaves ${mean("alone")} % of ‖∇f‖² unforeseen, the mean Jacobian ${mean("ideal")} %, on average over ${pairs.length} cells; ` +
      `the difference is ${percent(excess.mean)} ± ${percent(half)} % (95 % interval), and ${percent(negligible)} % count as none.`,
  };
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
    return without === undefined || best === undefined ? [] : [{ accuracy, without, best }];
  });
  if (runs.length < 3)
    return {
      statement,
      holds: undefined,
      evidence: "it takes three networks or seeds or more, trained without a guess, with γ = 1 and exactly.",
    };
  const sum = (of: (run: (typeof runs)[number]) => number) => runs.reduce((total, run) => total + of(run), 0);
  const gap = sum(({ without, best }) => best - without);
  const closed = sum(({ accuracy, without }) => accuracy - without) / gap;
  const beyondHalf = moments(runs.map(({ accuracy, without, best }) => accuracy - (without + best) / 2));
  const { mean } = beyondHalf;
  const half = halfWidth95(beyondHalf);
  return {
    statement,
    holds: gap <= 0 ? undefined : mean - half > 0 ? true : mean + half < 0 ? false : undefined,
    evidence:
      gap <= 0
        ? "the exact gradient trains no better than tangents alone here."
        : `over ${runs.length} networks and seeds, k = ${tangents}, ${(100 * closed).toFixed(0)} % of a gap of ${(gap / runs.length).toFixed(1)} points on average; ` +
          `${signed(mean)} ± ${half.toFixed(1)} points beyond the middle of it (95 % interval).`,
  };
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
  const corrected = accuracies(results, isFeedback(1));
  const alone = accuracies(results, isFeedback(0));
  const differences = [...corrected].flatMap(([key, accuracy]) => {
    const other = alone.get(key);
    return other === undefined ? [] : [accuracy - other];
  });
  if (cosines.length < 3 || differences.length < 3)
    return {
      statement,
      holds: undefined,
      evidence:
        "it takes three networks or numbers of tangents or more, measured and trained with γ = 0 and γ = 1.",
    };
  const [angle, gain] = [moments(cosines), moments(differences)];
  const [angleHalf, gainHalf] = [halfWidth95(angle), halfWidth95(gain)];
  const isHigher = angle.mean - angleHalf > 0;
  const isWorse = gain.mean - gainHalf > 0;
  const isRefuted = angle.mean + angleHalf < 0 || gain.mean + gainHalf < 0;
  return {
    statement,
    holds: isHigher && isWorse ? true : isRefuted ? false : undefined,
    evidence:
      `its cosine is ${fraction(angle.mean)} ± ${angleHalf.toFixed(2)} above that of γ = 1 after ${last} steps, over ${angle.count} cells, and γ = 1 reads ` +
      `${signed(gain.mean)} ± ${gainHalf.toFixed(1)} points more test images at the best rate of each, over ${gain.count} runs (95 % intervals).`,
  };
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
    return { statement, holds: undefined, evidence: "it takes two depths, measured with γ = 1." };
  const fall = shallow.ratio.log - deep.ratio.log;
  const error = Math.hypot(shallow.ratio.error, deep.ratio.error);
  const times = depths.map(({ name, ratio }) => `${name} ${Math.exp(ratio.log).toFixed(1)} times less`);
  const left = [shallow, deep].map(({ foreseen }) => percent(numberIn(foreseen, "bias")));
  return {
    statement,
    holds: fall > onePercent * error ? true : fall < -onePercent * error ? false : undefined,
    evidence:
      `${times.join(", ")} after ${last} steps; from the first to the last the ratio changes by a factor of ${Math.exp(-fall).toFixed(2)}, where chance alone ` +
      `goes below ${Math.exp(-onePercent * error).toFixed(2)} once in a hundred studies. Even the mean Jacobian leaves ${left[0]} and ${left[1]} % of ‖∇f‖² ` +
      "unforeseen: examples have Jacobians of their own.",
  };
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
    return {
      statement,
      holds: undefined,
      evidence: "it takes two numbers of tangents, trained with and without a guess.",
    };
  const means = gains.map(({ gains: own }) => moments(own).mean);
  const [falling, rising] = [means, [...means].reverse()].map(chanceOfOrder) as [number, number];
  return {
    statement,
    holds: falling <= rareOrder ? true : rising <= rareOrder ? false : undefined,
    evidence:
      `${gains.map(({ k }, index) => `k = ${k}: ${signed(means[index] as number)}`).join(", ")} points at the best rate of each; ` +
      `chance alone puts ${gains.length} numbers so well in falling order in ${(100 * falling).toFixed(0)} % of all studies (5 % are allowed).`,
  };
}

/** Chance alone may put numbers in order so often. */
const rareOrder = 0.05;

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

/** "+0.12" */
function fraction(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
