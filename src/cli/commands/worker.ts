/** A worker of somebody's run. */
import type { Command } from "commander";
import { awaitRun } from "../../distributed/nats/runs.ts";
import { connectToServer } from "../../distributed/node-nats.ts";
import { joinByThread } from "../../distributed/node-nats-transport.ts";
import { work } from "../../distributed/run/work.ts";
import type { WorkEvent, WorkResult } from "../../distributed/work-events.ts";
import { type NodeDevice, nodeRuntime } from "../../runtime/node.ts";
import type { TakeResult } from "../../studies/spread/take.ts";
import { isLeft, leaveInTime } from "../distributed/leave-in-time.ts";
import { isStudy, measureUnits } from "../distributed/study-worker.ts";
import { tellConnection } from "../distributed/tell-connection.ts";
import { addServerFlags, leaseOf, type ServerFlags, serverOf } from "../flags/distributed-flags.ts";
import { addRuntimeOptions } from "../flags/options.ts";
import { interruptible } from "../interrupt.ts";
import { printJson, say } from "../output.ts";

interface WorkerFlags extends ServerFlags {
  readonly device?: NodeDevice;
  readonly threads?: number;
  readonly dataDir?: string;
  readonly takeOver: boolean;
  readonly attached?: boolean;
  readonly json: boolean;
}

export function addWorkerCommand(program: Command): void {
  const command = program
    .command("worker <url>")
    .description(
      "work for a run on a NATS server until it ends: derivatives of a training, units of a study (--distribute URL)",
    );
  addRuntimeOptions(addServerFlags(command, "the run (default: the only one that is there)"))
    .option("--no-take-over", "do not coordinate the run where its coordinator is gone")
    .option("--data-dir <folder>", "folder with the dataset's files, for studies that read one")
    .option("--attached", "end with the process that started it, whose pipe is the standard input")
    .option("--json", "print one JSON object on the last line of stdout", false)
    .addHelpText(
      "after",
      `
A worker of a training needs nothing but the address: model, data and settings come from the run. One of a study reads the datasets that
it names from here. It may come and go at any time.

Examples:
  forwardgrad worker nats://10.0.0.7:4222
  forwardgrad worker tls://runs.example.org:4222 --run mnist --credentials worker.creds`,
    )
    .action(async (url: string, flags: WorkerFlags) => {
      const result = await (flags.attached ? attached(url, flags) : interruptibly(url, flags));
      if (flags.json) printJson(result);
      else if ("units" in result) say(`the study is ${result.how}: ${result.units} units measured`);
      else say(`the run is ${result.how}: ${result.granules} answers, ${result.steps} steps followed`);
      if (result.how === "failed") throw new Error(`The run failed: ${result.why}`);
    });
}

/** Until the run ends, or Ctrl-C. */
function interruptibly(url: string, flags: WorkerFlags): Promise<WorkResult | TakeResult> {
  return interruptible(
    async (signal) => {
      const result = await joined(url, flags, signal);
      return result.how === "stopped" ? undefined : result;
    },
    () => "Stopped; the run goes on without this worker, and the same command joins it again.",
  );
}

/** Until the process that started it is gone; Ctrl-C is that one's business. */
async function attached(url: string, flags: WorkerFlags): Promise<WorkResult | TakeResult> {
  const stop = new AbortController();
  process.on("SIGINT", () => {});
  process.stdin.on("end", () => stop.abort()).on("error", () => stop.abort());
  process.stdin.resume();
  try {
    return await joined(url, { ...flags, takeOver: false }, stop.signal);
  } finally {
    process.stdin.destroy();
  }
}

/** Told to stop before it did anything, or while its server was gone. */
const stopped: WorkResult = { how: "stopped", why: "", granules: 0, steps: 0 };

async function joined(
  url: string,
  flags: WorkerFlags,
  signal: AbortSignal,
): Promise<WorkResult | TakeResult> {
  const server = serverOf(url, flags);
  const run = await runOn(server, flags.run, signal);
  if (run === undefined) return stopped;
  const transport = await joinByThread({ ...server, run });
  const silence = tellConnection(transport, url);
  const leaving = leaveInTime(transport, signal);
  try {
    const { device, threads, takeOver: takesOver, dataDir } = flags;
    if (await isStudy(transport, signal))
      return await measureUnits(transport, { run, dataDir, threads, signal });
    const runtime = nodeRuntime({ device, threads });
    return await work({ transport, runtime, signal, takesOver, ...leaseOf(flags), onEvent: telling(run) });
  } catch (error) {
    if (isLeft(error, signal)) return stopped;
    throw error;
  } finally {
    leaving();
    silence();
    await transport.close();
  }
}

/** The run that was named, or else the only one; undefined when the worker was told to stop before there was one. */
async function runOn(
  server: ReturnType<typeof serverOf>,
  named: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { connection } = await connectToServer(server);
  try {
    return await awaitRun(connection, server.url, named, signal, (runs) =>
      say(waitingFor(server.url, named, runs)),
    );
  } finally {
    await connection.close();
  }
}

function waitingFor(url: string, named: string | undefined, runs: readonly string[]): string {
  const there = runs.length === 0 ? "" : ` (there: ${runs.join(", ")})`;
  const what = named === undefined ? "a run" : `run ${named}`;
  const name = named === undefined ? "" : ` --run ${named}`;
  return `waiting for ${what} to begin on ${url}${there}: forwardgrad train --distribute ${url}${name} …`;
}

function telling(run: string): (event: WorkEvent) => void {
  let isWaiting = false;
  return (event) => {
    if (event.kind === "waiting" && !isWaiting) say(`waiting for run ${run} to begin …`);
    isWaiting = event.kind === "waiting";
    if (event.kind === "joined") say(`follows run ${run} from step ${event.step}`);
    if (event.kind === "paused")
      say(`run ${run} was stopped: waiting until its coordinator goes on with it (train … --resume) …`);
    if (event.kind === "resumed") say(`run ${run} goes on`);
    if (event.kind === "leads") say(`the coordinator of run ${run} is gone: this worker goes on with it`);
  };
}
