import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The built command-line tool, as users run it. */
export const cli = resolve(import.meta.dirname, "../dist/cli.js");

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "forwardgrad-test-"));
}

/** Runs the tool to its end in a folder. */
export function run(args: readonly string[], options: { readonly cwd?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: "utf8",
    cwd: options.cwd,
    maxBuffer: 2 ** 28,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** Starts the tool and sends it a signal after some milliseconds, or when `until` says so. */
export function runUntil(
  args: readonly string[],
  signal: NodeJS.Signals,
  when: { readonly milliseconds: number; readonly afterStart?: boolean },
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    let timer: NodeJS.Timeout | undefined;
    const arm = () => {
      timer ??= setTimeout(() => child.kill(signal), when.milliseconds);
    };
    if (!when.afterStart) arm();
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += String(chunk);
      if (/parameters|learning rates/.test(stderr)) arm();
    });
    child.on("exit", (status) => {
      clearTimeout(timer);
      done({ status, stderr });
    });
  });
}

/** The last line of stdout as JSON. */
export function lastJson(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
}
