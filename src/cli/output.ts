import { printable, printableJson } from "../onnx/printable.ts";

/**
 * What the commands print, in one place. Lines on stderr tell what happens, and may be lost; stdout carries results. A
 * stream that is closed or full ends nothing but itself: the command goes on and finishes its files.
 */

/** Prints lines on stderr. */
export function say(...lines: readonly string[]): void {
  write(process.stderr, lines.map(printed).join(""));
}

/** Prints lines on stdout. */
export function print(...lines: readonly string[]): void {
  write(process.stdout, lines.map(printed).join(""));
}

/** Prints one JSON object on stdout. */
export function printJson(value: unknown): void {
  write(process.stdout, `${printableJson(value)}\n`);
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

function printed(line: string): string {
  return `${printable(line)}\n`;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (broken.has(stream)) return;
  try {
    stream.write(text);
  } catch (error) {
    broken.set(stream, error as NodeJS.ErrnoException);
  }
}
