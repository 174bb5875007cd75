/** What the coordinator of a run says of it once a second, for people who ask how it goes. */
import * as z from "zod/mini";

/** Under which subject. */
export const statusSubject = "status";

/** Milliseconds between two of them. */
export const statusEvery = 1000;

const statusSchema = z.object({
  /** What the run is. */
  kind: z.enum(["training", "study"]),
  name: z.string(),
  /** What is counted. */
  unit: z.enum(["steps", "units"]),
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
});

/** How a run goes. */
export type Status = z.infer<typeof statusSchema>;

/** A status's bytes. */
export function encodeStatus(status: Status): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(status));
}

/** How a run goes; undefined where the bytes do not say it. */
export function decodeStatus(bytes: Uint8Array): Status | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
