/** Finds where in a run's log a state stands. */
import type { Log } from "../transport.ts";
import { isSame } from "../weights/fingerprint.ts";
import type { Position } from "./messages.ts";
import { decodeRecord, type RunRecord } from "./records.ts";

/** A record with its number. */
export interface Numbered {
  readonly sequence: number;
  readonly record: RunRecord;
}

/** Where a state stands. */
export interface Located {
  /** All records up to this one were applied. */
  readonly after: number;
  /** Those behind it, up to the last one that was there. */
  readonly behind: readonly Numbered[];
}

/**
 * Where a state stands, by its step and parameters: the last place that fits.
 *
 * @returns undefined where the log knows no such state
 */
export async function locate(log: Log, state: Omit<Position, "after">): Promise<Located | undefined> {
  const last = await log.last();
  if (last === 0) return undefined;
  // Each step has a record, so that a state of step s comes behind s of them; only a log that lost its beginning is shorter.
  const from = Math.min(state.step + 1, last);
  return (await search(log, state, from, last)) ?? (from > 1 ? search(log, state, 1, last) : undefined);
}

async function search(
  log: Log,
  { step, before }: Omit<Position, "after">,
  from: number,
  last: number,
): Promise<Located | undefined> {
  let after: number | undefined;
  let behind: Numbered[] = [];
  let next: number | undefined;
  let newest: Numbered | undefined;
  let ends: Numbered[] = [];
  const stop = new AbortController();
  for await (const { sequence, record: bytes } of log.read(from, stop.signal)) {
    const record = decodeRecord(bytes);
    const begins = record.kind !== "end" && record.step === step && isSame(record.before, before);
    if (begins) {
      after = record.kind === "state" ? sequence : sequence - 1;
      behind = [];
    }
    if (after !== undefined && sequence > after) behind.push({ sequence, record });
    if (record.kind === "end") ends.push({ sequence, record });
    else {
      next = record.kind === "step" ? record.step + 1 : record.step;
      newest = { sequence, record };
      ends = [];
    }
    if (sequence >= last) {
      // Behind the last step: what it led to has no record yet, but that the run ended there may be one.
      if (after === undefined && newest?.record.kind === "step" && next === step) {
        after = newest.sequence;
        behind = ends;
      }
      break;
    }
  }
  stop.abort();
  return after === undefined ? undefined : { after, behind };
}
