import { falseAlarmsOfRuns, jointTail, jointTestText, studentTail } from "../significance.ts";
import { groupBy, numberIn } from "../statistics.ts";
import type { Reason, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import { firstNames, signed } from "../wording.ts";
import { hiddenWidth } from "./models.ts";
import type { RunLimits, TrainingPath } from "./runs.ts";
import { bySeed, type Contrast, contrastOf, contrastOfValues, pathTitles, runName } from "./summary.ts";

/** How much worse than the mean a projection may be and still count as as good, in accuracy. */
const margin = 0.005;

/** What the authors' runs end with: most epochs, and seeds. */
const paperSize = { epochs: 200, seeds: 3 };

/** How much was trained, and with how many seeds. */
type Size = RunLimits & { readonly seeds: number };

/** What the paper says about networks, decided for each path from runs with the same seeds. */
export function networkVerdicts(rows: readonly Row[], size: Size): readonly Verdict[] {
  const runs = rows.filter(({ kind }) => kind === "run");
  return [
    ...groupBy(runs, ["path"]).flatMap((own) => {
      const path = own[0]?.path as TrainingPath;
      const where = pathTitles[path];
      const refutation = refutationOf(path, size);
      return [
        moreTangentsVerdict(own, refutation, `More tangents are better, with ${where}`),
        projectionVerdict(
          own,
          refutation,
          `Projection is as good as the mean of as many tangents, with ${where}`,
        ),
        widthVerdict(own, refutation, `The gap to the exact gradient grows with the width, with ${where}`),
      ];
    }),
    finiteVerdict(runs),
  ];
}

/** Whose doing it is that runs of this size speak against a claim. */
function refutationOf(path: TrainingPath, { epochs, steps, subset, seeds }: Size): Reason {
  const images = subset > 0 ? `${subset.toLocaleString("en")} images` : "all images";
  const most = steps > 0 ? ` and ${steps.toLocaleString("en")} steps at most` : "";
  const own = `${epochs} epochs on ${images}${most} with ${seeds === 1 ? "one seed" : `${seeds} seeds`}`;
  if (epochs < paperSize.epochs || steps > 0 || subset > 0 || seeds < paperSize.seeds)
    return {
      fault: "sample",
      why:
        `the claim is about up to ${paperSize.epochs} epochs on all images with ${paperSize.seeds} seeds, and these are ${own}` +
        (path === "paper" ? ", for which the authors' constant learning rates were not chosen" : ""),
    };
  return path === "paper"
    ? {
        fault: "paper",
        why: `at the authors' own size (${own}), with their setting and their learning rates, it is the other way round`,
      }
    : { fault: "ours", why: "with our default learning rates it is the other way round" };
}

function moreTangentsVerdict(runs: readonly Row[], refutation: Reason, statement: string): Verdict {
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
    refutation,
    none: "it takes two numbers of tangents",
    what: "network, dataset and aggregator, the most tangents read more test images than the fewest",
  });
}

function projectionVerdict(runs: readonly Row[], refutation: Reason, statement: string): Verdict {
  const contrasts = groupBy(
    runs.filter(({ gradient }) => gradient !== "exact"),
    ["network", "dataset", "k"],
  ).flatMap((rows) => {
    const of = (gradient: string) => rows.filter((row) => row.gradient === gradient);
    return present(contrastOf(of("projection"), of("mean")));
  });
  return decide(contrasts, -margin, {
    statement,
    refutation,
    none: "it takes two tangents or more",
    what: `network, dataset and k, projection reads as many test images as the mean (${points(margin)} fewer are allowed)`,
  });
}

function widthVerdict(runs: readonly Row[], refutation: Reason, statement: string): Verdict {
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
    refutation,
    none: "it takes fully connected networks of two widths",
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
  /** Whose doing it is where the differences speak against it. */
  readonly refutation: Reason;
  /** Why nothing is decided where there is no difference to look at. */
  readonly none: string;
  /** What a difference above the least says, and between what. */
  readonly what: string;
}

/**
 * A claim about differences: each is above `least`, below it, or open, by its 95 % interval. Those below refute it where a test of
 * all differences at once rules chance out. It holds where it is not refuted, at least half are above, and at most one in twenty
 * below.
 */
function decide(
  contrasts: readonly Contrast[],
  least: number,
  { statement, refutation, none, what }: Wording,
): Verdict {
  if (contrasts.length === 0) return undecided(statement, none);
  const above = contrasts.filter(({ mean, half }) => mean - half > least).length;
  const below = contrasts.filter(({ mean, half }) => mean + half < least).length;
  const average = contrasts.reduce((sum, { mean }) => sum + mean, 0) / contrasts.length;
  const hasSpread = contrasts.some(({ half }) => !Number.isNaN(half));
  const chance = jointTail(
    contrasts.map((contrast) => tailBelow(contrast, least)),
    "positive",
  );
  const isRefuted = chance < falseAlarmsOfRuns;
  const isShown = above >= contrasts.length / 2 && below <= contrasts.length / 20;
  const test = below > 0 ? `; ${jointTestText(chance, falseAlarmsOfRuns)}` : "";
  const numbers = hasSpread
    ? `beyond the 95 % interval of the seeds in ${above} and the contrary in ${below}${test}`
    : "but one seed has no spread to decide it";
  return verdictOf({
    statement,
    holds: isRefuted ? false : isShown ? true : undefined,
    reason: isRefuted ? refutation : { fault: "sample", why: openReason(hasSpread, below) },
    evidence: `of ${contrasts.length} ${contrasts.length === 1 ? "combination" : "combinations"} of ${what} ${numbers}; the difference is ${signed(100 * average)} points on average.`,
  });
}

function openReason(hasSpread: boolean, below: number): string {
  if (!hasSpread) return "one seed cannot tell a difference from chance";
  return below > 0
    ? "some differences point the other way, though not more than chance may make them"
    : "the seeds differ more among themselves than the methods do";
}

/** How often chance puts a difference so far below the least; 1 for one that is above, or of a single seed. */
function tailBelow({ mean, error, freedom }: Contrast, least: number): number {
  if (freedom === 0 || mean >= least) return 1;
  return studentTail((least - mean) / error, freedom);
}

function finiteVerdict(runs: readonly Row[]): Verdict {
  const diverged = runs.filter(({ ending }) => ending === "diverged");
  const names = [...new Set(diverged.map((row) => `${runName(row)} (${row.path})`))];
  const isOurs = diverged.some(({ path }) => path === "ours");
  return verdictOf({
    statement: "Every run ends with finite losses",
    holds: diverged.length === 0,
    reason: isOurs
      ? { fault: "ours", why: "a default learning rate of this library is too high there" }
      : { fault: "paper", why: "a learning rate of the authors' search is too high there" },
    evidence:
      diverged.length === 0
        ? `none of ${runs.length} diverges.`
        : `${diverged.length} of ${runs.length} diverge, and count with what they reached before: ${firstNames(names)}.`,
  });
}

const countOf = (rows: readonly Row[]) => numberIn(rows[0] as Row, "k");
const widthOf = (rows: readonly Row[]) => hiddenWidth(String(rows[0]?.network)) ?? 0;
const present = (contrast: Contrast | undefined) => (contrast ? [contrast] : []);

/** "0.5 points" of a percentage. */
function points(share: number): string {
  return `${(100 * share).toFixed(1)} points`;
}
