import { groupBy, numberIn } from "../statistics.ts";
import type { Row, Verdict } from "../study.ts";
import { firstNames, signed } from "../wording.ts";
import { hiddenWidth } from "./models.ts";
import type { TrainingPath } from "./runs.ts";
import { bySeed, type Contrast, contrastOf, contrastOfValues, pathTitles, runName } from "./summary.ts";

/** How much worse than the mean a projection may be and still count as as good, in accuracy. */
const margin = 0.005;

/** What the paper says about networks, decided for each path from runs with the same seeds. */
export function networkVerdicts(rows: readonly Row[]): readonly Verdict[] {
  const runs = rows.filter(({ kind }) => kind === "run");
  return [
    ...groupBy(runs, ["path"]).flatMap((own) => {
      const where = pathTitles[own[0]?.path as TrainingPath];
      return [
        moreTangentsVerdict(own, `More tangents are better, with ${where}`),
        projectionVerdict(own, `Projection is as good as the mean of as many tangents, with ${where}`),
        widthVerdict(own, `The gap to the exact gradient grows with the width, with ${where}`),
      ];
    }),
    finiteVerdict(runs),
  ];
}

function moreTangentsVerdict(runs: readonly Row[], statement: string): Verdict {
  const contrasts = groupBy(
    runs.filter(({ gradient }) => gradient !== "exact"),
    ["network", "dataset", "gradient"],
  ).flatMap((rows) => {
    const byCount = groupBy(rows, ["k"]).toSorted((a, b) => countOf(a) - countOf(b));
    const [few, many] = [byCount[0], byCount.at(-1)];
    return few && many && few !== many ? present(contrastOf(many, few)) : [];
  });
  return decide(contrasts, 0, {
    statement,
    none: "it takes two numbers of tangents.",
    what: "network, dataset and aggregator, the most tangents read more test images than the fewest",
  });
}

function projectionVerdict(runs: readonly Row[], statement: string): Verdict {
  const contrasts = groupBy(
    runs.filter(({ gradient }) => gradient !== "exact"),
    ["network", "dataset", "k"],
  ).flatMap((rows) => {
    const of = (gradient: string) => rows.filter((row) => row.gradient === gradient);
    return present(contrastOf(of("projection"), of("mean")));
  });
  return decide(contrasts, -margin, {
    statement,
    none: "it takes two tangents or more.",
    what: `network, dataset and k, projection reads as many test images as the mean (${points(margin)} fewer are allowed)`,
  });
}

function widthVerdict(runs: readonly Row[], statement: string): Verdict {
  const connected = runs.filter(({ network }) => hiddenWidth(String(network)) !== undefined);
  const contrasts = groupBy(
    connected.filter(({ gradient }) => gradient !== "exact"),
    ["dataset", "gradient", "k"],
  ).flatMap((rows) => {
    const byWidth = groupBy(rows, ["network"]).toSorted((a, b) => widthOf(a) - widthOf(b));
    const [narrow, wide] = [byWidth[0], byWidth.at(-1)];
    if (!narrow || !wide || narrow === wide) return [];
    return present(contrastOfValues(gapBySeed(wide, connected), gapBySeed(narrow, connected)));
  });
  return decide(contrasts, 0, {
    statement,
    none: "it takes fully connected networks of two widths.",
    what: "dataset and method, the exact gradient is further ahead in the widest network than in the narrowest",
  });
}

/** By how much the exact gradient of the same network is ahead, by seed. */
function gapBySeed(rows: readonly Row[], runs: readonly Row[]): ReadonlyMap<number, number> {
  const { network, dataset } = rows[0] as Row;
  const exact = bySeed(
    runs.filter((row) => row.gradient === "exact" && row.network === network && row.dataset === dataset),
  );
  return new Map(
    [...bySeed(rows)].flatMap(([seed, value]) => {
      const best = exact.get(seed);
      return best === undefined ? [] : [[seed, best - value] as const];
    }),
  );
}

interface Wording {
  readonly statement: string;
  /** Why nothing is decided where there is no difference to look at. */
  readonly none: string;
  /** What a difference above the least says, and between what. */
  readonly what: string;
}

/**
 * A claim about differences: each is above `least`, below it, or open, by its 95 % interval. The claim holds where at least
 * half are above and none below; it does not where any is below, or one in twenty, which chance allows.
 */
function decide(contrasts: readonly Contrast[], least: number, { statement, none, what }: Wording): Verdict {
  if (contrasts.length === 0) return { statement, holds: undefined, evidence: none };
  const above = contrasts.filter(({ mean, half }) => mean - half > least).length;
  const below = contrasts.filter(({ mean, half }) => mean + half < least).length;
  const average = contrasts.reduce((sum, { mean }) => sum + mean, 0) / contrasts.length;
  const hasSpread = contrasts.some(({ half }) => !Number.isNaN(half));
  const numbers = hasSpread
    ? `beyond the 95 % interval of the seeds in ${above} and the contrary in ${below}`
    : "but one seed has no spread to decide it";
  return {
    statement,
    holds: below > contrasts.length / 20 ? false : above >= contrasts.length / 2 ? true : undefined,
    evidence: `of ${contrasts.length} combinations of ${what} ${numbers}; the difference is ${signed(100 * average)} points on average.`,
  };
}

function finiteVerdict(runs: readonly Row[]): Verdict {
  const diverged = runs.filter(({ ending }) => ending === "diverged");
  const names = [...new Set(diverged.map((row) => `${runName(row)} (${row.path})`))];
  return {
    statement: "Every run ends with finite losses",
    holds: diverged.length === 0,
    evidence:
      diverged.length === 0
        ? `none of ${runs.length} diverges.`
        : `${diverged.length} of ${runs.length} diverge, and count with what they reached before: ${firstNames(names)}.`,
  };
}

const countOf = (rows: readonly Row[]) => numberIn(rows[0] as Row, "k");
const widthOf = (rows: readonly Row[]) => hiddenWidth(String(rows[0]?.network)) ?? 0;
const present = (contrast: Contrast | undefined) => (contrast ? [contrast] : []);

/** "0.5 points" of a percentage. */
function points(share: number): string {
  return `${(100 * share).toFixed(1)} points`;
}
