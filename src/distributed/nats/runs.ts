/** The runs that a server keeps. */
import type { NatsConnection } from "@nats-io/nats-core";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { runOf } from "./names.ts";
import { answerMilliseconds } from "./requests.ts";

/** Names of all runs on a server, sorted. */
export async function runsOn(connection: NatsConnection): Promise<readonly string[]> {
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const manager = await jetstreamManager(connection, { timeout: answerMilliseconds, checkAPI: false });
  const found = new Set<string>();
  for await (const stream of manager.streams.names()) {
    const run = runOf(stream);
    if (run !== undefined) found.add(run);
  }
  return [...found].sort();
}

/** Milliseconds between looks for a run that nobody has begun yet. */
const lookMilliseconds = 1000;

/**
 * The run that was named, or else the only one; waits until there is one.
 *
 * @param where what messages call the server
 * @param onWaiting hears once that it waits, and which runs are there
 * @returns undefined when it was told to stop before
 * @throws SettingError where none was named, and there are several
 */
export async function awaitRun(
  connection: NatsConnection,
  where: string,
  named: string | undefined,
  signal: AbortSignal,
  onWaiting: (runs: readonly string[]) => void,
): Promise<string | undefined> {
  let runs = await runsOn(connection);
  for (let hasSaid = false; !signal.aborted; hasSaid = true) {
    if (named !== undefined && runs.includes(named)) return named;
    if (named === undefined && runs.length > 1)
      throw new SettingError(
        words`There are several runs on ${where}; choose one (${option("run", null)}): ${runs.join(", ")}`,
        { option: "run" },
      );
    if (named === undefined && runs[0] !== undefined) return runs[0];
    if (!hasSaid) onWaiting(runs);
    await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
    // A server that does not answer now may do so later.
    runs = await runsOn(connection).catch(() => []);
  }
  return undefined;
}
