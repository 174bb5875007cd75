/** The runs that a server keeps. */
import type { NatsConnection } from "@nats-io/nats-core";
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
