import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli, lastJson, run, runUntil, temporaryFolder } from "./cli.ts";

// Small enough that a whole run takes a second or two, long enough to be hit anywhere.
const settings = [
  "train",
  "--hidden",
  "24",
  "--steps",
  "900",
  "--momentum",
  "0.9",
  "--threads",
  "1",
  "--seed",
  "5",
  "--checkpoint-seconds",
  "0.05",
];

/** Metrics without what depends on the clock. */
function metricsOf(folder: string): unknown[] {
  const timings = new Set(["seconds", "secondsPerStep"]);
  return readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line, (key, value) => (timings.has(key) ? undefined : value)) as unknown);
}

describe("a killed run", () => {
  it("ends, resumed, with the bytes of an undisturbed one, after 20 kills at any moment", async () => {
    const calm = temporaryFolder();
    const reference = run([...settings, "--out", join(calm, "run"), "--json"]);
    expect(reference.status, reference.stderr).toBe(0);

    const folder = join(temporaryFolder(), "run");
    // A fixed sequence of moments, from before the first step to deep into the run.
    let moment = 0.37;
    let kills = 0;
    while (kills < 20) {
      moment = (moment * 997.13 + 0.61) % 1;
      const { status } = await runUntil([...settings, "--out", folder, "--resume"], "SIGKILL", {
        milliseconds: 20 + moment * 160,
        afterStart: kills % 4 !== 0,
      });
      // A run that ended before the signal starts over in place of the kill.
      if (status === 0) break;
      kills++;
    }
    expect(kills).toBe(20);
    const resumed = run([...settings, "--out", folder, "--resume", "--json"]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(
      readFileSync(join(folder, "model.onnx")).equals(readFileSync(join(calm, "run", "model.onnx"))),
    ).toBe(true);
    expect(metricsOf(folder)).toEqual(metricsOf(join(calm, "run")));

    // Complete: the same result again, without a step.
    const again = run([...settings, "--out", folder, "--resume", "--json"]);
    expect(again.status).toBe(0);
    expect(again.stderr).toContain("holds the complete run already");
    expect(lastJson(again.stdout)).toEqual(lastJson(resumed.stdout));
  });

  it("stopped, it keeps others out, and goes on to the same bytes", async () => {
    const folder = join(temporaryFolder(), "run");
    const child = spawn(process.execPath, [cli, ...settings, "--out", folder], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise((done) => child.on("exit", done));
    await new Promise((done) => child.stderr.once("data", done));
    child.kill("SIGSTOP");
    for (const flags of [["--resume"], [], ["--overwrite"]]) {
      const { status, stderr } = run([...settings, "--out", folder, ...flags]);
      expect(status).toBe(1);
      expect(stderr).toContain(`${folder} is in use: process ${child.pid} on`);
    }
    const wrong = run(["search", "--out", folder, "--overwrite"]);
    expect(wrong.stderr).toContain("is in use");
    child.kill("SIGCONT");
    expect(await ended).toBe(0);
    const calm = join(temporaryFolder(), "run");
    expect(run([...settings, "--out", calm]).status).toBe(0);
    expect(readFileSync(join(folder, "model.onnx")).equals(readFileSync(join(calm, "model.onnx")))).toBe(
      true,
    );
    expect(metricsOf(folder)).toEqual(metricsOf(calm));
  });

  it("resumed twice at once, goes on once", async () => {
    const folder = join(temporaryFolder(), "run");
    await runUntil([...settings, "--out", folder], "SIGKILL", { milliseconds: 300, afterStart: true });
    const resumed = await Promise.all(
      [0, 1, 2].map(() =>
        runUntil([...settings, "--out", folder, "--resume"], "SIGKILL", { milliseconds: 60_000 }),
      ),
    );
    expect(resumed.filter(({ stderr }) => stderr.includes("going on from step"))).toHaveLength(1);
    // One that starts when all is done finds the complete run.
    for (const { status, stderr } of resumed)
      expect(stderr).toMatch(status === 1 ? /is in use: process/ : /going on from|holds the complete run/);
    expect(existsSync(join(folder, "lock.json"))).toBe(false);
  });

  it("stops at Ctrl-C with a checkpoint, exits 130, and goes on", async () => {
    const folder = join(temporaryFolder(), "run");
    const stopped = await runUntil([...settings, "--out", folder], "SIGINT", {
      milliseconds: 300,
      afterStart: true,
    });
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toMatch(/Saved at step \d+ of 900/);
    expect(stopped.stderr).toContain("--resume");
    const step = Number(/Saved at step (\d+)/.exec(stopped.stderr)?.[1]);
    const resumed = run([...settings, "--out", folder, "--resume"]);
    expect(resumed.stderr).toContain(`going on from step ${step}`);
    expect(resumed.status).toBe(0);
  });
});
