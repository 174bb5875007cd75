import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const quick = ["train", "--hidden", "16", "--threads", "1"];
const config = (out: string) => JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
const metrics = (out: string): { kind: string; step: number; cosine: number; normRatio: number }[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("training flags", () => {
  it("reach the run and its configuration, and hold on --resume", () => {
    const out = join(folder, "adam");
    const args = [
      ...quick,
      ..."--optimizer adamw --weight-decay 0.02 --beta1 0.8 --beta2 0.99 --epsilon 1e-7".split(" "),
      ..."--clip 3 --schedule exponential --decay 0.99 --warm-up 5 --steps 30".split(" "),
      ..."--sampler fixed-angle --angle 60 --aggregate near-best --within 0.3 --track-quality 10".split(" "),
      "--out",
      out,
    ];
    const first = run([...args, "--json"]);
    expect(first.status, first.stderr).toBe(0);
    expect(config(out)).toMatchObject({
      optimizer: { name: "adamw", weightDecay: 0.02, beta1: 0.8, beta2: 0.99, epsilon: 1e-7 },
      clip: 3,
      schedule: { name: "exponential", decay: 0.99, warmUp: 5 },
      sampler: { name: "fixed-angle", degrees: 60 },
      aggregate: { name: "near-best", within: 0.3 },
      quality: { every: 10, draws: 4 },
      learningRate: 0.003,
    });
    const quality = metrics(out).filter((line) => line.kind === "quality");
    expect(quality.map((line) => line.step)).toEqual([10, 20, 30]);
    for (const { cosine, normRatio } of quality) {
      expect(Math.abs(cosine)).toBeLessThan(1);
      expect(normRatio).toBeGreaterThan(0);
    }
    expect(first.stderr).toMatch(/epoch 1 .*cosine -?0\.\d{3}/);
    expect(run([...args, "--resume"]).status).toBe(0);
    const changed = run([...args, "--resume", "--beta1", "0.9"]);
    expect(changed.status).toBe(1);
    expect(changed.stderr).toContain("beta1 was 0.8, now 0.9");
  });

  it("simulated gradients train as forward ones do", () => {
    const results = ["forward", "simulated"].map((gradient) => {
      const out = join(folder, gradient);
      const { status, stdout, stderr } = run([
        ...quick,
        "--steps",
        "60",
        "--gradient",
        gradient,
        "--guess",
        "none",
        "--out",
        out,
        "--json",
      ]);
      expect(status, stderr).toBe(0);
      return lastJson(stdout) as { testLoss: number; learningRate: number };
    });
    const [forward, simulated] = results as [(typeof results)[0], (typeof results)[0]];
    expect(simulated.learningRate).toBe(forward.learningRate);
    // The derivatives differ in last bits only, which 60 steps amplify a little.
    expect(simulated.testLoss).toBeCloseTo(forward.testLoss, 3);
  });

  it("end early with --patience, and say which parameters are kept", () => {
    const out = join(folder, "patience");
    // Too small a rate to change any float32 weight: no epoch is better than the first.
    const args = "--lr 1e-12 --epochs 30 --batch 500 --patience 1".split(" ");
    const { status, stdout, stderr } = run([...quick, ...args, "--out", out, "--json"]);
    expect(status, stderr).toBe(0);
    const { bestStep, steps } = lastJson(stdout) as { bestStep: number; steps: number };
    expect(stderr.match(/^epoch \d+ /gm)).toEqual(["epoch 1 ", "epoch 2 "]);
    expect(steps).toBe(2 * bestStep);
    const again = run([...quick, ...args, "--out", out, "--resume"]);
    expect(again.stderr).toContain("holds the complete run already");
    expect(again.stderr).toContain(`kept: the parameters of step ${bestStep}`);
  });

  it.each([
    [["--sampler", "fixed-angle", "--angle", "-3"], 2, "number above 0"],
    [["--sampler", "fixed-angle", "--angle", "120"], 2, "at most 90 degrees"],
    [["--angle", "30"], 1, "--angle 30"],
    [["--within", "1.5"], 2, "from 0 to 1"],
    [["--optimizer", "adm"], 2, "Did you mean adam"],
    [["--schedule", "cosin"], 2, "Did you mean cosine"],
    [["--optimizer", "adam", "--momentum", "0.9"], 1, "--momentum 0.9 is no option of adam"],
    [["--weight-decay", "-1"], 2, "number from 0"],
    [["--patience", "0"], 2, "whole number from 1"],
    [["--decay-every", "5"], 1, "--decay-every 5"],
    [["--gradient", "exact", "--track-quality", "5"], 1, "leave one of them out"],
  ])("%j exits %i and says what is wrong", (args, status, message) => {
    const result = run([...quick, ...args, "--steps", "1", "--out", join(folder, "never")]);
    expect(result.stderr).toContain(message);
    expect(result.status).toBe(status);
  });
});
