import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lastJson, run, runUntil, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const tiny = ["study", "angles", "--tiny", "--threads", "1"];
const read = (out: string, name: string) => readFileSync(join(out, name), "utf8");

describe("forwardgrad study", () => {
  it("measures, writes results, summary, charts and reports, and prints JSON", () => {
    const out = join(folder, "angles");
    const { status, stdout, stderr } = run([...tiny, "--out", out, "--json"]);
    expect(status, stderr).toBe(0);
    const outcome = lastJson(stdout) as { verdicts: { statement: string }[]; report: string; rows: number };
    expect(outcome).toMatchObject({ study: "angles", settings: { dimension: 8, samples: 20 }, rows: 24 });
    expect(outcome.report).toBe(join(out, "report.html"));
    for (const name of ["results.csv", "summary.csv", "report.html", "report.md", "charts/cosine.svg"])
      expect(read(out, name).length, name).toBeGreaterThan(100);
    expect(JSON.parse(read(out, "charts/cosine.vl.json")).$schema).toContain("vega-lite");
    for (const { statement } of outcome.verdicts) expect(read(out, "report.html")).toContain(statement);
    const reason = { fault: "sample", why: "no cell of this run has a reference" };
    expect(outcome.verdicts.at(-1)).toEqual({ statement: expect.any(String), reason, evidence: "" });
    expect(read(out, "report.html")).toContain("<svg");
  });

  it("refuses a folder with results unless told to go on, and then measures nothing again", () => {
    const out = join(folder, "twice");
    const first = run([...tiny, "--out", out]);
    expect(first.status).toBe(0);
    expect(first.stderr).toContain("authors' code: not decided. No cell of this run has a reference.");
    const before = read(out, "results.csv");
    const again = run([...tiny, "--out", out]);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("already holds a run. Go on with it (--resume)");
    const resumed = run([...tiny, "--out", out, "--resume"]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain("4 units of work, 4 of them done");
    const other = run([...tiny, "--out", out, "--resume", "--set", "seed=3"]);
    expect(other.status).toBe(1);
    expect(other.stderr).toContain("seed was 0, now 3");
    expect(read(out, "results.csv")).toBe(before);
  });

  it.each(["SIGINT", "SIGKILL"] as const)(
    "goes on after %s with the bytes of a run that was not stopped",
    async (signal) => {
      const args = ["study", "angles", "--threads", "1", "--set", "samples=1000", "--set", "batch=20"];
      const out = join(folder, signal);
      const stopped = await runUntil([...args, "--out", out], signal, {
        milliseconds: 1200,
        afterStart: true,
        mark: "units of work",
      });
      expect(stopped.status, stopped.stderr).toBe(signal === "SIGINT" ? 130 : null);
      if (signal === "SIGINT") expect(stopped.stderr).toMatch(/Saved \d+ finished units in/);
      const { finished } = JSON.parse(read(out, "state.json")) as { finished: number };
      expect(finished).toBeLessThan(300);
      const resumed = run([...args, "--out", out, "--resume"]);
      expect(resumed.status, resumed.stderr).toBe(0);
      // On a busy machine none may have ended.
      const done = finished === 0 ? "" : `, ${finished} of them done`;
      expect(resumed.stderr).toContain(`300 units of work${done} →`);
      const whole = join(folder, "whole");
      if (!existsSync(whole)) expect(run([...args, "--out", whole]).status).toBe(0);
      expect(read(out, "results.csv")).toBe(read(whole, "results.csv"));
      expect(read(out, "summary.csv")).toBe(read(whole, "summary.csv"));
    },
    180_000,
  );

  it("names what is wrong in damaged results, and leaves them as they are", () => {
    const out = join(folder, "damaged");
    expect(run([...tiny, "--out", out]).status).toBe(0);
    const damaged = read(out, "results.csv").replace(/^(.*\n)30,/, "$1ab,");
    writeFileSync(join(out, "results.csv"), damaged);
    const { status, stderr } = run([...tiny, "--out", out, "--resume"]);
    expect(status).toBe(1);
    expect(stderr).toContain("results.csv: row 2, column 'angle' holds 'ab', expected a number");
    expect(stderr).toContain("restore the file, or start again in another folder (--out)");
    expect(read(out, "results.csv")).toBe(damaged);
  });

  it("says when its folder cannot be made", () => {
    mkdirSync(join(folder, "blocked"));
    writeFileSync(join(folder, "blocked", "file"), "");
    const { status, stderr } = run([...tiny, "--out", join(folder, "blocked", "file", "below")]);
    expect(status).toBe(1);
    expect(stderr).toContain("cannot be made");
    expect(stderr).toContain("choose another one (--out)");
  });

  it.each([
    [["study", "angels"], 2, "Did you mean angles?"],
    [["study"], 2, "missing required argument 'name'"],
    [["study", "angles", "--set", "samples"], 2, "Expected NAME=VALUE"],
    [["study", "angles", "--set", "sample=3"], 1, "no setting 'sample'"],
    [["study", "angles", "--set", "angles=0,30"], 1, "angles=0,30: "],
    [["study", "angles", "--set", "angles=30,30"], 1, "two units 'angle=30/batch=0'"],
  ])("%j exits %i and says what is wrong", (args, status, message) => {
    const out = join(folder, "never");
    const result = run([...args, "--out", out]);
    expect(result.stderr).toContain(message);
    expect(result.status).toBe(status);
    expect(existsSync(join(out, "results.csv"))).toBe(false);
  });

  it("lists the studies in its help", () => {
    const { stdout } = run(["study", "--help"]);
    expect(stdout).toContain("quality");
    expect(stdout).toContain("section 4.3");
  });
});
