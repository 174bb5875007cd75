#!/usr/bin/env node
/** The command line: its commands, and what it exits with. */
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { DownloadError } from "../data/download.ts";
import { ArchitectureError } from "../models/architecture.ts";
import { searchOptions } from "../search/options.ts";
import { addBoundedProbeCommand } from "./bounded-probe.ts";
import { addDeriveCommand } from "./commands/derive.ts";
import { addEvalCommand } from "./commands/eval.ts";
import { addInspectCommand } from "./commands/inspect.ts";
import { addPredictCommand } from "./commands/predict.ts";
import { addQueueCommand } from "./commands/queue.ts";
import { addReportCommand } from "./commands/report.ts";
import { addSearchCommand } from "./commands/search.ts";
import { addStartCommand } from "./commands/start.ts";
import { addStudyCommand } from "./commands/study.ts";
import { addTrainCommand } from "./commands/train.ts";
import { addWorkerCommand } from "./commands/worker.ts";
import { trainingSettings } from "./flags/chosen-loss.ts";
import { errorInFlags } from "./flags/in-flags.ts";
import { meantFlag } from "./flags/setting-flags.ts";
import { InterruptedError } from "./interrupt.ts";
import { say, watchStreams } from "./output.ts";

const program = new Command("forwardgrad")
  .description("Train ONNX models with forward passes only.")
  .version(packageJson.version)
  .option("--debug", "print stack traces")
  .showSuggestionAfterError(true)
  .configureHelp({ showGlobalOptions: true })
  .exitOverride();
addTrainCommand(program);
addSearchCommand(program);
addWorkerCommand(program);
addQueueCommand(program);
addEvalCommand(program);
addPredictCommand(program);
addReportCommand(program);
addInspectCommand(program);
addDeriveCommand(program);
addStudyCommand(program);
addStartCommand(program);
addBoundedProbeCommand(program);
for (const command of program.commands) command.exitOverride();

watchStreams();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
}

/** 1 failed, 2 wrong usage, 130 interrupted. */
function exitCode(error: unknown): number {
  // Commander has printed its own message; help and version end with 0.
  if (error instanceof CommanderError && error.code === "commander.unknownOption") {
    const [, unknown = ""] = /'(--[^']+)'/.exec(error.message) ?? [];
    const meant =
      unknown &&
      !error.message.includes("Did you mean") &&
      meantFlag({ ...trainingSettings, ...searchOptions }, unknown);
    if (meant)
      say(
        `(${meant === unknown ? `It is a flag of ${ownersOf(meant).join(" and ")}.` : `Did you mean ${meant}?`})`,
      );
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const isDebug = program.opts().debug === true || process.argv.includes("--debug");
  const stack = isDebug && error instanceof Error ? error.stack : undefined;
  const message = `forwardgrad: ${errorInFlags(error)}`;
  // Other messages are one line: names in them, which come from files, must not begin new ones.
  const hasLines = error instanceof ArchitectureError || error instanceof DownloadError;
  const lines = hasLines ? message.split("\n") : [message];
  say(...(stack?.split("\n") ?? lines));
  return error instanceof InterruptedError ? 130 : 1;
}

/** The commands that take a flag. */
function ownersOf(flag: string): readonly string[] {
  return program.commands
    .filter(({ options }) => options.some(({ long }) => long === flag))
    .map((command) => command.name());
}
