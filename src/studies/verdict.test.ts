import { describe, expect, it } from "vitest";
import { legendOf, outcomeText, undecided, verdictOf, whyText } from "./verdict.ts";

const statement = "Water is wet";
const evidence = "of 3 waters, 2 are.";

describe("a verdict", () => {
  it("that holds has no reason to say", () => {
    const verdict = verdictOf({
      statement,
      holds: true,
      evidence,
      reason: { fault: "ours", why: "we erred" },
    });
    expect(verdict).toEqual({ statement, holds: true, evidence });
    expect([outcomeText(verdict), whyText(verdict), legendOf([verdict])]).toEqual(["holds", "", undefined]);
  });

  it.each([
    ["paper", "does not hold, and that is the paper's fault, not this program's"],
    ["sample", "does not hold, and that is the sample's fault, not this program's"],
    ["ours", "does not hold, and that is our fault"],
  ] as const)("that does not hold by the fault '%s' says so, and why", (fault, outcome) => {
    const verdict = verdictOf({ statement, holds: false, evidence, reason: { fault, why: "ice is dry" } });
    expect(outcomeText(verdict)).toBe(outcome);
    expect(whyText(verdict)).toBe("Ice is dry.");
    expect(legendOf([verdict])).toContain("a result, not an error of the program");
  });

  it("that is not decided says what it takes", () => {
    const verdict = undecided(statement, "it takes two waters");
    expect([outcomeText(verdict), whyText(verdict)]).toEqual(["not decided", "It takes two waters."]);
    expect(legendOf([verdict])).toBeUndefined();
  });
});
