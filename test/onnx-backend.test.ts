import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type Outcome, runTest, testNames } from "./onnx-backend.ts";

const folder = process.env.ONNX_BACKEND_NODE_TESTS;
const reportPath = process.env.ONNX_BACKEND_REPORT;

const instructions = `\
pip download onnx==1.22.0 --no-deps --dest suite
unzip -q 'suite/onnx-*.whl' 'onnx/backend/test/data/node/*' -d suite
ONNX_BACKEND_NODE_TESTS=suite/onnx/backend/test/data/node \\
  ONNX_BACKEND_REPORT=docs/onnx-suite.md npx vitest run test/onnx-backend.test.ts`;

describe("the node tests of the ONNX standard", () => {
  if (!folder) {
    it("are not here: ONNX_BACKEND_NODE_TESTS does not name their folder", () => {
      console.info(`The ONNX standard's node tests were not run. To get and run them:\n\n${instructions}\n`);
      expect(instructions).toContain("ONNX_BACKEND_NODE_TESTS");
    });
    return;
  }

  it("give the suite's values and right derivatives for every op that has rules", {
    timeout: 3_600_000,
  }, async () => {
    const runtime = nodeRuntime({ threads: 1 });
    const names = testNames(folder);
    expect(names.length, `tests in ${folder}`).toBeGreaterThan(0);
    const outcomes: Outcome[] = [];
    for (const name of names) outcomes.push(await runTest(folder, name, runtime));
    const text = report(outcomes, runtime.name);
    console.info(text);
    if (reportPath) writeFileSync(reportPath, text);
    expect(outcomes.filter(({ status }) => status === "wrong")).toEqual([]);
    expect(outcomes.filter(({ reason }) => reason === "another error")).toEqual([]);
  });
});

function report(outcomes: readonly Outcome[], runtimeName: string): string {
  const of = (status: Outcome["status"]) => outcomes.filter((outcome) => outcome.status === status);
  const passed = [...of("derivatives"), ...of("values")];
  const moved = of("derivatives").filter((outcome) => outcome.moved);
  const coarse = of("derivatives").filter((outcome) => outcome.coarse);
  const restated = passed.filter((outcome) => outcome.restated !== undefined);
  const count = (status: Outcome["status"], reason: string) =>
    of(status).filter((outcome) => outcome.reason === reason).length;
  return [
    "# The ONNX standard's node tests",
    "",
    "The ONNX package carries a test suite: models of one node (or of a function's expansion), inputs and expected",
    "outputs. `test/onnx-backend.test.ts` runs all of them through forwardgrad: the file is decoded and imported with the",
    "test's inputs, its values are compared with the expected ones (relative 1e-3, absolute 1e-7, the suite's own",
    "bounds; files of 16-bit floats are computed in float32), and directional derivatives are compared with central",
    "differences (1e-6 in float64; 2e-2 in float32, where ONNX Runtime has no float64 kernel)",
    "and with the transpose (1e-10; 1e-4). This page is made by",
    "",
    "```sh",
    instructions,
    "```",
    "",
    `Engine: ${runtimeName}. The suite's data is not part of this repository.`,
    "",
    "## Result",
    "",
    `| ${outcomes.length} tests | |`,
    "| --- | ---: |",
    `| values and derivatives agree, in float64 | ${count("derivatives", "float64")} |`,
    `| values and derivatives agree, in float32 | ${count("derivatives", "float32")} |`,
    ...byReason(of("values")).map(([reason, tests]) => `| values agree; ${reason} | ${tests.length} |`),
    `| values or derivatives differ | ${of("wrong").length} |`,
    `| outside of what forwardgrad does, by reason below | ${of("outside").length} |`,
    "",
    `Of the ${passed.length} that pass, ${restated.length} are files of opset 7 to 12 or 25 and newer, whose ops have the same form in opset`,
    `13 or 24 and were run as that. At ${moved.length} the test's own inputs hold a kink, a tie, a NaN or an infinity, and`,
    "derivatives were compared beside them.",
    ...(coarse.length > 0
      ? [
          `${coarse.length} run in float64 too, but agree only within the bounds of float32: ${listOps(coarse)}.`,
        ]
      : []),
    "",
    ...section("Differing", of("wrong")),
    "## Why the others are outside",
    "",
    "| reason | tests | which (number of tests) |",
    "| --- | ---: | --- |",
    ...byReason(of("outside")).map(
      ([reason, tests]) => `| ${reason} | ${tests.length} | ${listOps(tests)} |`,
    ),
    "",
    "## What passes",
    "",
    "An op with an asterisk is a function's expansion into other ops.",
    "",
    listOps(passed),
    "",
  ].join("\n");
}

function section(title: string, tests: readonly Outcome[]): string[] {
  if (tests.length === 0) return [];
  return [
    `## ${title}`,
    "",
    ...tests.map(({ name, reason, detail }) => `- ${name}: ${reason} (${detail})`),
    "",
  ];
}

/** Reasons with their tests, those with most tests first. */
function byReason(outcomes: readonly Outcome[]): [string, Outcome[]][] {
  const groups = new Map<string, Outcome[]>();
  for (const outcome of outcomes)
    groups.set(outcome.reason, [...(groups.get(outcome.reason) ?? []), outcome]);
  return [...groups].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
}

function listOps(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { op } of outcomes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([op, count]) => (count > 1 ? `${op} (${count})` : op).replaceAll("*", "\\*"))
    .join(", ");
}
