/** All that the command line prints goes through here. */
import type { Worded } from "../errors/words.ts";
import { printable, printableJson } from "../onnx/printable.ts";
import { inFlags } from "./flags/in-flags.ts";

/**
 * What the commands print, in one place. Lines on stderr tell what happens, and may be lost; stdout carries results. A
 * stream that is closed or full ends nothing but itself: the command goes on and finishes its files.
 */

/** Prints lines on stderr; messages of the library name flags. */
export function say(...lines: readonly (string | Worded)[]): void {
  write(process.stderr, lines.map(printed).join(""));
}

/** Prints lines on stdout; messages of the library name flags. */
export function print(...lines: readonly (string | Worded)[]): void {
  write(process.stdout, lines.map(printed).join(""));
}

/** Prints one JSON object on stdout. */
export function printJson(value: unknown): void {
  write(process.stdout, `${printableJson(value)}\n`);
}

/**
 * Writes lines of data on stdout, and waits while it is full; a terminal gets them as `print` does, and others as they are.
 *
 * @returns whether anybody reads on
 */
export async function printData(text: string): Promise<boolean> {
  const { stdout } = process;
  if (text === "" || broken.has(stdout)) return !broken.has(stdout);
  const isDrained = stdout.isTTY
    ? stdout.write(text.split("\n").map(printable).join("\n"))
    : stdout.write(text);
  if (!isDrained)
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ["drain", "error", "close"]) stdout.off(event, done);
        resolve();
      };
      for (const event of ["drain", "error", "close"]) stdout.on(event, done);
    });
  return !broken.has(stdout);
}

/** A stream for progress bars, which write only text of our own. */
export const progressStream = process.stderr;

/** Keeps the process alive when a stream breaks, and lets its exit code tell where a result on stdout was lost. */
export function watchStreams(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => broken.set(stream, error));
  process.on("exit", () => {
    const lost = broken.get(process.stdout);
    // A reader that has seen enough, such as `head`, is no failure.
    if (lost === undefined || lost.code === "EPIPE") return;
    say(
      `forwardgrad: stdout could not be written (${lost.message}); what the command keeps in files is complete.`,
    );
    process.exitCode ||= 1;
  });
}

const broken = new Map<NodeJS.WriteStream, NodeJS.ErrnoException>();

function printed(line: string | Worded): string {
  return `${printable(typeof line === "string" ? line : inFlags(line))}\n`;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (broken.has(stream)) return;
  try {
    stream.write(text);
  } catch (error) {
    broken.set(stream, error as NodeJS.ErrnoException);
  }
}
