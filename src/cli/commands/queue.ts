/** `forwardgrad queue`: what runs on a server, who works, and how fast. */
import type { Command } from "commander";
import { connectToServer } from "../../distributed/node-nats.ts";
import { formatDuration } from "../../studies/report.ts";
import { lookAtRuns, type RunSeen } from "../distributed/look-at-runs.ts";
import { addServerFlags, type ServerFlags, serverOf } from "../flags/distributed-flags.ts";
import { print, printJson } from "../output.ts";

interface QueueFlags extends ServerFlags {
  readonly json: boolean;
}

/** Coordinators and workers speak at least once a second. */
const lookMilliseconds = 2500;

export function addQueueCommand(program: Command): void {
  const command = program
    .command("queue <url>")
    .description("show what runs on a NATS server, who works, and how fast");
  addServerFlags(command, "this run alone (default: all)")
    .option("--json", "print one JSON object on the last line of stdout", false)
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad queue nats://127.0.0.1:4222
  forwardgrad queue tls://runs.example.org:4222 --credentials coordinator.txt --json`,
    )
    .action(async (url: string, flags: QueueFlags) => {
      const { connection } = await connectToServer(serverOf(url, flags));
      try {
        const all = await lookAtRuns(connection, lookMilliseconds);
        const runs = all.filter(({ run }) => flags.run === undefined || run === flags.run);
        if (flags.json) printJson({ server: url, runs });
        else if (runs.length === 0)
          print(flags.run === undefined ? `no runs on ${url}` : `no run '${flags.run}' on ${url}`);
        else print(...runs.flatMap(linesOf));
      } finally {
        await connection.close();
      }
    });
}

/** What is said of a run that nobody coordinates, by how it ended. */
const endings = {
  done: () => "complete",
  paused: () => "stopped; its command with --resume goes on with it",
  failed: (why: string) => `failed${why === "" ? "" : `: ${why}`}`,
} as const;

function linesOf(seen: RunSeen): readonly string[] {
  const { run, records, recordsPerSecond, tasks, workers, status, ended } = seen;
  const rate = recordsPerSecond > 0 ? `, ${recordsPerSecond.toFixed(1)} a second` : "";
  const far = status
    ? `${status.kind} ${status.name}, ${status.done} of ${status.total} ${status.unit} in ${formatDuration(status.seconds)}`
    : ended
      ? endings[ended.how](ended.why)
      : "nobody coordinates it now; its command with --resume goes on with it";
  const waiting = tasks && tasks.waiting + tasks.taken > 0;
  return [
    `${run}: ${far}`,
    ...(records > 0 ? [`  ${records} records${rate}`] : []),
    ...(waiting ? [`  ${tasks.waiting} tasks wait, ${tasks.taken} are worked on`] : []),
    ...(workers.length === 0 && status ? ["  no workers were heard"] : []),
    ...workers.map(({ participant, done, secondsEach, at }) =>
      [
        `  ${participant}`,
        ...(done === null ? [] : [`${done} done`]),
        ...(secondsEach === null ? [] : [`${secondsEach.toPrecision(2)} s each`]),
        ...(at === undefined ? [] : [`at ${at}`]),
      ].join(", "),
    ),
    ...(status?.leftOut === undefined ? [] : [`  and ${status.leftOut} workers more`]),
  ];
}
