/** What a run of the command line leaves for people: its page, and a program that does the same. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import type { RunNotes } from "../src/reports/run-record.ts";
import { run, runUntil, temporaryFolder } from "./cli.ts";

const table = join(import.meta.dirname, "cases", "predict", "train.csv");
const dist = resolve(import.meta.dirname, "..", "dist");
const resultOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n").at(-1) ?? "");

describe("a run's report", { timeout: 120_000 }, () => {
  it("has what the run is worth, and a program that gives the same numbers", () => {
    const cwd = temporaryFolder();
    const data = [
      "train",
      "--data",
      "csv",
      "--data-file",
      table,
      "--target",
      "price",
      "--ignore-columns",
      "kind",
    ];
    const course = ["--loss", "mean-squared-error", "--hidden", "12", "--steps", "40", "--threads", "1"];
    const { stderr } = run([...data, ...course, "--out", "prices"], { cwd });
    expect(stderr).toContain(`report: ${join("prices", "report.html")}`);
    const html = readFileSync(join(cwd, "prices", "report.html"), "utf8");
    for (const text of [
      "Worst mistakes",
      "predicted as",
      "R²",
      "--hidden 12",
      "What was understood",
      "more in a step",
    ])
      expect(html).toContain(text);
    const notes = JSON.parse(readFileSync(join(cwd, "prices", "report.json"), "utf8")) as RunNotes;
    expect(notes.command).toContain("--steps 40");
    const program = (notes.code ?? "")
      .replaceAll('"prices"', '"again"')
      .replaceAll(/"forwardgrad(?:\/(\w+))?"/g, (_, part = "index") => `"${dist}/${part}.js"`);
    writeFileSync(join(cwd, "again.mjs"), ts.transpile(program, { target: ts.ScriptTarget.ESNext }));
    const again = spawnSync(process.execPath, ["again.mjs"], { cwd, encoding: "utf8" });
    expect(again.stderr).toBe("");
    const { testLoss, validationLoss } = resultOf(join(cwd, "again"));
    expect([testLoss, validationLoss]).toEqual([
      resultOf(join(cwd, "prices")).testLoss,
      resultOf(join(cwd, "prices")).validationLoss,
    ]);
    // The library's run has no page yet.
    expect(run(["report", "again"], { cwd }).stderr).toContain(join("again", "report.html"));
    writeFileSync(join(cwd, "mine.html"), "<p>mine</p>");
    const refused = run(["report", "prices", "again", "-o", "mine.html"], { cwd });
    expect([refused.status, readFileSync(join(cwd, "mine.html"), "utf8")]).toEqual([1, "<p>mine</p>"]);
  });

  it("is there of a run that was interrupted", async () => {
    const folder = join(temporaryFolder(), "run");
    const { status } = await runUntil(["train", "--epochs", "40", "--out", folder], "SIGINT", {
      ...{ milliseconds: 1500, afterStart: true },
    });
    expect(status).toBe(130);
    const html = readFileSync(join(folder, "report.html"), "utf8");
    expect(html).toMatch(/Not finished: \d+ of 16,840 steps so far\./);
  });
});
