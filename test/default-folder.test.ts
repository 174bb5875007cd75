import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaultFolder, hasFile, inFolder, isCompleteTraining } from "../src/cli/flags/default-folder.ts";
import { cli, run, temporaryFolder } from "./cli.ts";

/** A run's folder that was started at some second. */
function started(folder: string, second: number, isComplete: boolean): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), "{}\n");
  utimesSync(join(folder, "config.json"), second, second);
  const lines = ['{"kind":"epoch","step":3}', ...(isComplete ? ['{"kind":"result","step":3}'] : [])];
  writeFileSync(join(folder, "metrics.jsonl"), `${lines.join("\n")}\n`);
  return folder;
}

describe("the folder of a command that was given none", () => {
  const isComplete = isCompleteTraining;

  it("is new each time, whatever is there", () => {
    const name = join(temporaryFolder(), "runs", "latest");
    const names = [1, 2, 3].map(() => defaultFolder({ name, resume: false, isComplete }));
    expect(names).toEqual([name, `${name}-2`, `${name}-3`]);
    writeFileSync(`${name}-4`, "a file");
    expect(defaultFolder({ name, resume: false, isComplete })).toBe(`${name}-5`);
  });

  it("is the newest that is not complete where one goes on", () => {
    const name = join(temporaryFolder(), "latest");
    const resumed = () => defaultFolder({ name, resume: true, isComplete });
    started(`${name}-2`, 100, false);
    started(name, 300, false);
    started(`${name}-10`, 200, false);
    started(`${name}-3`, 400, true);
    started(`${name}-mine`, 500, false);
    mkdirSync(`${name}-4`);
    expect(resumed()).toBe(name);
    started(name, 300, true);
    expect(resumed()).toBe(`${name}-10`);
    started(`${name}-10`, 200, true);
    started(`${name}-2`, 100, true);
    // All are complete: the newest says so.
    expect(resumed()).toBe(`${name}-3`);
  });

  it("is made where there is none to go on with", () => {
    const name = join(temporaryFolder(), "runs", "search");
    expect(defaultFolder({ name, resume: true, isComplete: hasFile("trials.csv") })).toBe(name);
    expect(existsSync(name)).toBe(true);
  });

  it("does not stay where nothing was written to it", async () => {
    const name = join(temporaryFolder(), "latest");
    const own = { name, resume: false, isComplete };
    const failing = inFolder(undefined, own, () => Promise.reject(new Error("no such data")));
    await expect(failing).rejects.toThrow("no such data");
    expect(existsSync(name)).toBe(false);
    await expect(
      inFolder(undefined, own, async (folder) => {
        writeFileSync(join(folder, "config.json"), "{}");
        throw new Error("diverged");
      }),
    ).rejects.toThrow("diverged");
    expect(existsSync(name)).toBe(true);
  });

  it("names the fault where none can be made", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const own = { name: join(file, "latest"), resume: false, isComplete };
    expect(() => defaultFolder(own)).toThrow(/cannot be made.*--out/s);
  });
});

describe("train without --out", () => {
  const quick = ["train", "--hidden", "4", "--threads", "1"];

  it("starts twice at once in two folders, and goes on with the one that is not complete", async () => {
    const cwd = temporaryFolder();
    const start = (steps: string) =>
      new Promise<string>((done) => {
        const child = spawn(process.execPath, [cli, ...quick, "--steps", steps], { cwd });
        let stderr = "";
        child.stderr.on("data", (chunk: Buffer) => {
          stderr += String(chunk);
        });
        child.on("exit", () => done(stderr));
      });
    const spoken = await Promise.all([start("2"), start("2")]);
    const folders = spoken.map((stderr) => /→ (\S+)/.exec(stderr)?.[1]);
    expect(folders.sort()).toEqual(["runs/latest", "runs/latest-2"]);
    const refused = run([...quick, "--data", "csv", "--data-file", "none.csv", "--target", "x"], { cwd });
    expect(refused.status).toBe(1);
    expect(readdirSync(join(cwd, "runs")).sort()).toEqual(["latest", "latest-2"]);
    const diverged = run([...quick, "--steps", "50", "--lr", "1e30"], { cwd });
    expect(diverged.status).toBe(1);
    const resumed = run([...quick, "--steps", "50", "--lr", "1e30", "--resume"], { cwd });
    expect(resumed.stderr).toContain("→ runs/latest-3");
    const complete = run([...quick, "--steps", "2", "--resume", "--out", "runs/latest-2"], { cwd });
    expect(complete.stderr).toContain("runs/latest-2 holds the complete run already");
  });
});
