import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lastJson, run, runUntil, temporaryFolder } from "./cli.ts";

const settings = ["search", "--steps", "18", "--hidden", "8", "--tangents", "4", "--threads", "1"];
const few = [...settings, "--evaluations", "6", "--rungs", "2", "--lowest", "0.01", "--highest", "1e6"];

interface Found {
  readonly learningRate: number;
  readonly validationLoss: number;
  readonly train: string;
  readonly trials: readonly Record<string, unknown>[];
}

const withoutTimes = ({ trials, ...rest }: Found) => ({
  ...rest,
  trials: trials.map(({ seconds, ...trial }) => trial),
});

describe("forwardgrad search", () => {
  it("leaves its rows and a chart, and prints the training command, which gives what was found", () => {
    const out = join(temporaryFolder(), "search");
    const { status, stdout, stderr } = run([...few, "--out", out, "--json"]);
    expect(status, stderr).toBe(0);
    const found = lastJson(stdout) as unknown as Found;
    expect(found.trials).toHaveLength(6);
    expect(found.trials.some(({ diverged }) => diverged)).toBe(true);
    expect(stderr).toContain("6/6: rate");
    expect(readFileSync(join(out, "trials.csv"), "utf8").trimEnd().split("\n")).toHaveLength(7);
    expect(readFileSync(join(out, "trials.svg"), "utf8")).toContain("learning rate");
    // The command says the rate in four digits.
    expect(found.train).toBe(
      `forwardgrad train --steps 18 --hidden 8 --tangents 4 --threads 1 --lr ${found.learningRate.toPrecision(4)}`,
    );
    const words = found.train.split(" ").slice(1);
    const trained = run([...words, "--out", join(out, "trained"), "--json"]);
    expect(trained.status, trained.stderr).toBe(0);
    const { validationLoss } = lastJson(trained.stdout) as { validationLoss: number };
    expect(Math.abs(validationLoss / found.validationLoss - 1)).toBeLessThan(1e-2);

    const again = run([...few, "--out", out]);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("already holds a run. Go on with it (--resume)");
    const complete = run([...few, "--out", out, "--resume"]);
    expect(complete.status, complete.stderr).toBe(0);
    expect(complete.stdout).toContain(`Train with the rate that was found:\n  ${found.train}`);
    expect(complete.stderr).not.toContain("6/6");

    // Its files tell what they are, one by one.
    const trials = readFileSync(join(out, "trials.json"), "utf8");
    const damages: [string, string | undefined, string][] = [
      ["trials.json", trials.replace(/"validationLoss": (\d)/, '"validationLoss": 1$1'), "own checksum"],
      ["trials.json", trials.slice(0, -20), "trials.json is damaged"],
      ["trials.json", undefined, "trials.json is missing"],
      ["config.json", undefined, "holds a trials.json, trials.csv, trials.svg"],
      ["config.json", "{}", "was not written by this program"],
    ];
    for (const [name, content, message] of damages) {
      const whole = readFileSync(join(out, name));
      if (content === undefined) rmSync(join(out, name));
      else writeFileSync(join(out, name), content);
      const { status, stderr } = run([...few, "--out", out, "--resume"]);
      expect([status, stderr], message).toEqual([1, expect.stringContaining(message)]);
      writeFileSync(join(out, name), whole);
    }
    expect(run([...few, "--out", out, "--resume"]).status).toBe(0);
  });

  it("goes on after kills and Ctrl-C, to the same trials", async () => {
    const calm = run([...few, "--out", join(temporaryFolder(), "search"), "--json"]);
    const out = join(temporaryFolder(), "search");
    let moment = 0.37;
    for (let stop = 0; stop < 6; stop++) {
      moment = (moment * 997.13 + 0.61) % 1;
      const signal = stop % 2 === 0 ? "SIGKILL" : "SIGINT";
      await runUntil([...few, "--out", out, "--resume"], signal, {
        milliseconds: 20 + moment * 500,
        afterStart: true,
        mark: "learning rates",
      });
    }
    expect(existsSync(join(out, "config.json"))).toBe(true);
    const resumed = run([...few, "--out", out, "--resume", "--json"]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(withoutTimes(lastJson(resumed.stdout) as unknown as Found)).toEqual(
      withoutTimes(lastJson(calm.stdout) as unknown as Found),
    );
  });

  it("refuses a learning rate and offers search's own flags to search alone", () => {
    const { status, stderr } = run([...few, "--lr", "0.1", "--out", join(temporaryFolder(), "search")]);
    expect(status).toBe(1);
    expect(stderr).toContain("search looks for the learning rate, and one is given (--lr 0.1); leave it out");
    expect(run(["train", "--lowest", "1"]).stderr).toContain("unknown option '--lowest'");
  });
});
