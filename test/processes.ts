/** Processes of the command line that tests start, listen to, and end. */
import { type ChildProcess, spawn } from "node:child_process";
import { cli } from "./cli.ts";

/** A process of the command line that says when it has said something. */
export function startCli(args: readonly string[], cwd: string) {
  const child = spawn(process.execPath, [cli, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let wake = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      said += String(chunk);
      wake();
    });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const says = async (pattern: RegExp) => {
    while (!pattern.test(said) && child.exitCode === null)
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 100);
      });
    if (!pattern.test(said)) throw new Error(`It ended without ${pattern}: ${said}`);
  };
  return { child: child as ChildProcess, ended, says, said: () => said };
}
