#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { addDeriveCommand } from "./derive.ts";
import { addEvalCommand } from "./eval.ts";
import { addInspectCommand } from "./inspect.ts";
import { InterruptedError } from "./interrupt.ts";
import { addSearchCommand } from "./search.ts";
import { addStartCommand } from "./start.ts";
import { addStudyCommand } from "./study.ts";
import { addTrainCommand } from "./train.ts";

const program = new Command("forwardgrad")
  .description("Train ONNX models with forward passes only.")
  .version(packageJson.version)
  .option("--debug", "print stack traces")
  .showSuggestionAfterError(true)
  .configureHelp({ showGlobalOptions: true })
  .exitOverride();
addTrainCommand(program);
addSearchCommand(program);
addEvalCommand(program);
addInspectCommand(program);
addDeriveCommand(program);
addStudyCommand(program);
addStartCommand(program);
for (const command of program.commands) command.exitOverride();

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
}

/** 1 failed, 2 wrong usage, 130 interrupted. */
function exitCode(error: unknown): number {
  // Commander has printed its own message; help and version end with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const isDebug = program.opts().debug === true || process.argv.includes("--debug");
  console.error(isDebug && error instanceof Error ? error.stack : `forwardgrad: ${(error as Error).message}`);
  return error instanceof InterruptedError ? 130 : 1;
}
