/** What the study of scale claims, held against what was simulated and measured. */
import { numberIn } from "../statistics.ts";
import type { Results, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import type { ScaleSettings } from "./cells.ts";
import { nearest, simulated, timeRatio } from "./charts.ts";

type Scale = Results<ScaleSettings>;

/** How far the simulator may be from a real run. */
const allowed = 0.25;
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
/** "790 B", "1.6 TB" */
function bytesText(bytes: number): string {
  const thousands = Math.max(0, Math.min(5, Math.floor(Math.log10(bytes) / 3)));
  return `${short.format(bytes / 1000 ** thousands)} ${["B", "kB", "MB", "GB", "TB", "PB"][thousands]}`;
}

export function scaleVerdicts(results: Scale): readonly Verdict[] {
  return [flat(results), faster(results), counted(results), uncounted(results), foretells(results)];
}

function flat({ rows }: Scale): Verdict {
  const bytes = (sharing: string) =>
    rows.filter((row) => row.part === "simulated" && row.sharing === sharing && numberIn(row, "workers") > 1);
  const byWorkers = new Map<number, Set<number>>();
  for (const row of bytes("k numbers")) {
    const known = byWorkers.get(numberIn(row, "workers")) ?? new Set();
    byWorkers.set(numberIn(row, "workers"), known.add(numberIn(row, "bytes")));
  }
  const statement = "What crosses a worker's line in a step does not grow with the network";
  const most = Math.max(...bytes("k numbers").map((row) => numberIn(row, "bytes")));
  const gradients = bytes("all-reduce").map((row) => numberIn(row, "bytes"));
  if (gradients.length === 0) return undecided(statement, "it takes two workers");
  return verdictOf({
    statement,
    holds: [...byWorkers.values()].every((sizes) => sizes.size === 1),
    evidence: `at most ${bytesText(most)} a step, whatever n is; averaged gradients take ${bytesText(Math.min(...gradients))} to ${bytesText(Math.max(...gradients))}.`,
    reason: { fault: "ours", why: "answers or records hold more than numbers of tangents" },
  });
}

/** The cells at about a thousand workers. */
function atThousand({ summary, settings }: Scale): readonly Row[] {
  const workers = nearest(settings.workers, 1000);
  return simulated(summary).filter((row) => row.workers === workers);
}

function faster(results: Scale): Verdict {
  const statement =
    "On lines of homes and phones, a step of k numbers is faster than one of averaged gradients";
  const cells = atThousand(results);
  const ratios = ratiosOf(results, cells, 0).filter(({ host }) => host === "homes" || host === "phones");
  if (ratios.length === 0) return undecided(statement, "neither was simulated");
  const slower = ratios.filter(({ ratio }) => ratio >= 1);
  return verdictOf({
    statement,
    holds: slower.length === 0,
    evidence: `with ${numberIn(cells[0] as Row, "workers").toLocaleString("en")} workers, ${rangeOf(ratios)} a gradient's time.`,
    reason: {
      fault: "ours",
      why: `drawing tangents again, or the server, takes longer than sending the gradient for n = ${slower.map(({ parameters }) => parameters.toExponential(0)).join(", ")}`,
    },
  });
}

function counted(results: Scale): Verdict {
  const curved = Math.min(...results.settings.curved);
  const statement = `Counting steps, k numbers train faster somewhere where the loss is curved in few directions (r = ${curved})`;
  const ratios = ratiosOf(results, atThousand(results), curved);
  const better = ratios.filter(({ ratio }) => ratio < 1);
  return verdictOf({
    statement,
    holds: better.length > 0,
    evidence: `in ${better.length} of ${ratios.length} cells${better.length > 0 ? `, by lines of ${[...new Set(better.map(({ host }) => host))].join(" and ")}` : ""}: ${rangeOf(ratios)} a gradient's time.`,
    reason: { fault: "ours", why: "the steps that k numbers take more outweigh what each of them saves" },
  });
}

function uncounted(results: Scale): Verdict {
  const curved = Math.max(...results.settings.curved);
  const ratios = ratiosOf(results, atThousand(results), curved);
  return verdictOf({
    statement: `Averaged gradients train faster everywhere where it is curved in many directions (r = ${curved.toExponential(0)}, or n where that is less)`,
    holds: ratios.every(({ ratio }) => ratio > 1),
    evidence: `k numbers take ${rangeOf(ratios)} a gradient's time.`,
    reason: { fault: "sample", why: "the largest r is small beside what the slowest line costs" },
  });
}

function foretells({ summary }: Scale): Verdict {
  const statement = "The simulator foretells steps of real runs with 1, 2 and 4 workers";
  const rows = summary.filter(({ part }) => part === "measured");
  if (rows.length === 0) return undecided(statement, "no run was measured");
  const errors = rows.map((row) => numberIn(row, "measured_mean") / numberIn(row, "seconds_mean") - 1);
  const worst = errors.reduce((most, error) => (Math.abs(error) > Math.abs(most) ? error : most), 0);
  return verdictOf({
    statement,
    holds: Math.abs(worst) <= allowed,
    evidence: `of ${rows.length} runs, the farthest is ${Math.round(100 * Math.abs(worst))} % ${worst > 0 ? "longer" : "shorter"} than foretold (${Math.round(100 * allowed)} % allowed).`,
    reason: { fault: "ours", why: "the model leaves out something that takes time in a real step" },
  });
}

interface Ratio {
  readonly host: string;
  readonly parameters: number;
  readonly ratio: number;
}

/** Time of k numbers in that of gradients by host and n, as many steps counted as get as far for r curved directions. */
function ratiosOf({ settings }: Scale, cells: readonly Row[], curved: number): readonly Ratio[] {
  return settings.hosts.flatMap((host) =>
    settings.parameters.map((parameters) => ({
      ...{ host, parameters },
      ratio: timeRatio(
        cells.filter((row) => row.parameters === parameters),
        ...([host, settings.tangents, curved] as const),
      ),
    })),
  );
}

function rangeOf(ratios: readonly Ratio[]): string {
  const all = ratios.map(({ ratio }) => ratio);
  return `${short.format(Math.min(...all))} to ${short.format(Math.max(...all))} times`;
}
