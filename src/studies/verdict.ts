/** Verdicts, and the words in which reports and terminals say them. */
import type { Fault, Reason, Verdict } from "./study.ts";

/** What a verdict is made of. */
export interface Judgement {
  readonly statement: string;
  /** Whether the claim holds; undefined where that is not decided. */
  readonly holds: boolean | undefined;
  readonly evidence: string;
  /** Looked at where it does not hold or is not decided. */
  readonly reason: Reason;
}

/** A verdict, which has a reason unless it holds. */
export function verdictOf({ statement, holds, evidence, reason }: Judgement): Verdict {
  return holds === true ? { statement, holds, evidence } : { statement, holds, reason, evidence };
}

/** A verdict of a run that did not measure what it takes. */
export function undecided(statement: string, why: string): Verdict {
  return { statement, holds: undefined, reason: { fault: "sample", why }, evidence: "" };
}

export const marks = { yes: "✔", no: "✘", open: "–" } as const;

export function outcomeOf({ holds }: Verdict): keyof typeof marks {
  return holds === undefined ? "open" : holds ? "yes" : "no";
}

const culprits: Readonly<Record<Fault, string>> = {
  paper: "the paper's fault, not this program's",
  sample: "the sample's fault, not this program's",
  ours: "our fault",
};

/** "holds", "does not hold, and that is the sample's fault, …", "not decided". */
export function outcomeText(verdict: Verdict): string {
  if (verdict.holds === true) return "holds";
  return verdict.holds === undefined
    ? "not decided"
    : `does not hold, and that is ${culprits[verdict.reason.fault]}`;
}

/** Why it does not hold, or is not decided; empty where it holds. */
export function whyText(verdict: Verdict): string {
  if (verdict.holds === true) return "";
  const { why } = verdict.reason;
  return `${why.charAt(0).toUpperCase()}${why.slice(1)}.`;
}

/** What the marks mean, where a cross could be taken for an error. */
export function legendOf(verdicts: readonly Verdict[]): string | undefined {
  return verdicts.some(({ holds }) => holds === false)
    ? "✘ marks a claim that the measurements speak against: a result, not an error of the program."
    : undefined;
}
