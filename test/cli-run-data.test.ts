/** What a run knows of its data: tables of pandas and NumPy, and pictures (`test/cases/predict`), moved and changed. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const cases = join(import.meta.dirname, "cases");

/** Runs the tool in a folder, which must succeed. */
function succeeds(args: readonly string[], cwd: string) {
  const result = run(args, { cwd });
  expect(result.status, result.stderr).toBe(0);
  return result;
}

it("a run of a table is measured on its own test rows, wherever both are moved, and says when they changed", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "work"));
  copyFileSync(join(cases, "predict", "train.csv"), join(folder, "work", "houses.csv"));
  const reading = [
    "--data",
    "csv",
    "--target",
    "price",
    "--ignore-columns",
    "kind",
    "--test-fraction",
    "0.3",
  ];
  const course = [
    "--loss",
    "mean-squared-error",
    "--hidden",
    "4",
    "--steps",
    "20",
    "--batch",
    "8",
    "--threads",
    "1",
  ];
  const trained = succeeds(
    ["train", ...reading, "--data-file", "work/houses.csv", ...course, "--out", "work/run", "--json"],
    folder,
  );
  const { testLoss } = lastJson(trained.stdout) as { testLoss: number };
  expect(lastJson(succeeds(["eval", "work/run", "--json"], folder).stdout).testLoss).toBeCloseTo(testLoss, 5);

  // Together.
  renameSync(join(folder, "work"), join(folder, "moved"));
  const own = succeeds(["eval", "moved/run", "--json"], folder);
  expect(own.stderr).toContain("The run's own test examples");
  expect(lastJson(own.stdout).testLoss).toBeCloseTo(testLoss, 5);
  const table = readFileSync(join(folder, "moved", "houses.csv"), "utf8")
    .trim()
    .split("\n");
  const predicted = succeeds(["predict", "moved/run"], folder);
  expect(predicted.stderr).toContain("No data are named: predicting those of the run");
  expect(predicted.stdout.trim().split("\n")).toHaveLength(table.length);

  // The table alone.
  renameSync(join(folder, "moved", "houses.csv"), join(folder, "elsewhere.csv"));
  const lost = run(["eval", "moved/run"], { cwd: folder });
  expect([lost.status, lost.stderr]).toEqual([
    1,
    expect.stringMatching(/houses\.csv is no longer there .*say where they are now: --data-file FILE/s),
  ]);
  const found = succeeds(["eval", "moved/run", "--data-file", "elsewhere.csv", "--json"], folder);
  expect(found.stderr).toContain("The run's own test examples");
  expect(lastJson(found.stdout).testLoss).toBeCloseTo(testLoss, 5);

  // Its content.
  copyFileSync(join(folder, "elsewhere.csv"), join(folder, "moved", "houses.csv"));
  appendFileSync(join(folder, "moved", "houses.csv"), `${table.slice(1).join("\n")}\n`);
  const changed = run(["eval", "moved/run"], { cwd: folder });
  expect([changed.status, changed.stderr]).toEqual([
    1,
    expect.stringMatching(/was tested on other examples than .*houses\.csv holds now; name the data/s),
  ]);
  const named = succeeds(["eval", "moved/run", "--data-file", "moved/houses.csv"], folder);
  expect(named.stderr).toContain("not the examples that the model's run was tested on");
});
