/** Looks at a model that nobody trusts in a process of its own, whose memory and time are bounded. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Command } from "commander";
import * as z from "zod/mini";
import { type Limits, limitsWith } from "../limits/limits.ts";
import type { Value } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import { type DType, dtypeNumbers } from "../onnx/tensor.ts";
import { assignmentsOf } from "../ops/symbolic-types.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { probe } from "../runtime/probe.ts";
import { loadModel } from "../storage/node-model.ts";
import { errorInFlags } from "./flags/in-flags.ts";
import { addLimitOption } from "./flags/options.ts";
import { printJson } from "./output.ts";

/** Types of values by name. */
export type Types = ReadonlyMap<string, Pick<Value, "dtype" | "shape">>;

/** What running a model tells, or why it tells nothing. */
export type Observed = { readonly types: readonly Types[] } | { readonly failure: string };

const commandName = "observe-types";

const answers = z.union([
  z.object({
    types: z.array(
      z.array(z.tuple([z.string(), z.enum(Object.keys(dtypeNumbers) as DType[]), z.array(z.number())])),
    ),
  }),
  z.object({ failure: z.string() }),
]);

/**
 * Runs a model that is not trusted in a process of its own, once for each of its `assignmentsOf`. An engine can abort, hang
 * or take all memory: that process is ended at the limits `inspectSeconds` and `inspectBytes`, and this one goes on.
 */
export async function observeApart({ source, limits }: Model): Promise<Observed> {
  const { inspectSeconds, inspectBytes } = limits;
  const flags = Object.entries(limits).flatMap(([name, value]) => ["--limit", `${name}=${value}`]);
  const [, program = ""] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, commandName, source, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 1000 * inspectSeconds,
    killSignal: "SIGKILL",
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  try {
    const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (status === 0) {
      const answer = answers.parse(JSON.parse(Buffer.concat(chunks).toString()));
      if ("failure" in answer) return answer;
      return {
        types: answer.types.map(
          (list) => new Map(list.map(([name, dtype, shape]) => [name, { dtype, shape }])),
        ),
      };
    }
    const why =
      signal === "SIGKILL"
        ? `was ended after ${inspectSeconds} s (--limit inspectSeconds=N)`
        : signal === "SIGTERM"
          ? `was ended at ${inspectBytes.toLocaleString("en")} bytes of memory (--limit inspectBytes=N)`
          : `ended inside of the engine (${signal ?? `exit code ${status}`})`;
    return { failure: `${source} was run in a process of its own, which ${why}.` };
  } catch (error) {
    return { failure: `${source} could not be run in a process of its own (${(error as Error).message}).` };
  }
}

/** The command of the other process; no part of the help. */
export function addBoundedProbeCommand(program: Command): void {
  const command = program.command(commandName, { hidden: true }).argument("<model.onnx>");
  addLimitOption(command).action(async (path: string, flags: { readonly limit?: Partial<Limits> }) => {
    await watchMemory(limitsWith(flags.limit).inspectBytes);
    printJson(await observe(loadModel(path, flags.limit)));
  });
}

async function observe(model: Model): Promise<unknown> {
  try {
    const runtime = nodeRuntime();
    const types: unknown[] = [];
    for (const { sizes, batch } of assignmentsOf(model)) {
      const { values } = await probe(model, runtime, { batch, dimensions: Object.fromEntries(sizes) });
      types.push([...values.values()].map(({ name, dtype, shape }) => [name, dtype, shape]));
    }
    return { types };
  } catch (error) {
    return { failure: errorInFlags(error) };
  }
}

/** Ends this process once it takes more memory; in a thread of its own, because the engine blocks the one that runs it. */
async function watchMemory(bytes: number): Promise<void> {
  const code = `
    const { workerData } = require("node:worker_threads");
    setInterval(() => {
      if (process.memoryUsage.rss() > workerData) process.kill(process.pid, "SIGTERM");
    }, 20);`;
  const worker = new Worker(code, { eval: true, execArgv: [], workerData: bytes });
  await once(worker, "online");
  worker.unref();
}
