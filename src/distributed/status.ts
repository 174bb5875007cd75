/** What the coordinator of a run says of it once a second, for people who ask how it goes. */
import * as z from "zod/mini";
import type { Transport } from "./transport.ts";

/** Under which subject. */
export const statusSubject = "status";

/** Milliseconds between two of them. */
export const statusEvery = 1000;

const statusSchema = z.object({
  /** What the run is. */
  kind: z.enum(["training", "study", "search"]),
  name: z.string(),
  /** What is counted. */
  unit: z.enum(["steps", "units", "trials"]),
  done: z.number(),
  total: z.number(),
  /** Since this process coordinates. */
  seconds: z.number(),
  workers: z.array(
    z.object({
      participant: z.string(),
      /** Units, or granules, that it answered for. */
      done: z.number(),
      /** Seconds for each of them; null before the first. */
      secondsEach: z.nullable(z.number()),
      /** Seconds since it said anything. */
      silent: z.number(),
      /** What it is at. */
      at: z.optional(z.string()),
    }),
  ),
  /** Workers that did not fit into the message, besides those. */
  leftOut: z.optional(z.number()),
});

/** How a run goes. */
export type Status = z.infer<typeof statusSchema>;

/** Says how a run goes, with as many workers as a message holds: those that were heard last. */
export function tellStatus(
  { publish, largestMessage }: Pick<Transport, "publish" | "largestMessage">,
  status: Status,
): void {
  const whole = encode(status);
  const message = whole.length <= largestMessage ? whole : encode(shortened(status, largestMessage));
  // A server that takes next to nothing is told nothing, and the run goes on.
  if (message.length <= largestMessage) publish("coordinator", statusSubject, message);
}

function shortened(status: Status, most: number): Status {
  const workers = [...status.workers].sort((a, b) => a.silent - b.silent);
  let left = most - encode({ ...status, workers: [], leftOut: workers.length }).length;
  const fitting = workers.findIndex((worker) => {
    // With the comma behind it.
    left -= encode(worker).length + 1;
    return left < 0;
  });
  return { ...status, workers: workers.slice(0, fitting), leftOut: workers.length - fitting };
}

function encode(value: Status | Status["workers"][number]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** How a run goes; undefined where the bytes do not say it. */
export function decodeStatus(bytes: Uint8Array): Status | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
