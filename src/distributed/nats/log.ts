/**
 * The log as a stream of records. The server says each stored record to all at once (a subject of its own, on which nobody
 * else may speak), and what was missed is asked for by its sequence, so that readers cost the server no state and need no
 * right but to ask.
 */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { crc32 } from "../../storage/metrics.ts";
import type { Log, LogEntry } from "../transport.ts";
import { tooLarge } from "../transport-error.ts";
import type { RunNames } from "./names.ts";
import { answerMilliseconds, isApiError, type Requests } from "./requests.ts";

/** Records that are asked for at once. */
const batch = 64;
/** Records that came before they were due and are kept, at most; the others are asked for again. */
const mostAhead = 4096;
/** After so many milliseconds without a record, a reader asks whether it missed one. */
const pollMilliseconds = 2000;

/** The log of a run. */
export function natsLog(
  requests: Requests,
  jetstream: JetStreamClient,
  manager: JetStreamManager,
  names: RunNames,
  largest: number,
): Log {
  const stream = names.streams.log;
  /** One record; undefined where there is none of this sequence. */
  const get = (sequence: number) =>
    requests.patiently("reading the log", async () => {
      const message = await manager.direct.getMessage(stream, { seq: sequence });
      return message ?? undefined;
    });
  const bounds = () =>
    requests.patiently("reading the log", async () => {
      const { first_seq, last_seq } = (await manager.streams.info(stream)).state;
      return { first: first_seq, last: last_seq };
    });
  return {
    async append(record, after, id) {
      if (record.length > largest) throw tooLarge(record.length, largest);
      return requests.patiently("appending a record", async () => {
        try {
          const acknowledged = await jetstream.publish(names.log, record, {
            msgID: id,
            expect: { lastSequence: after },
            timeout: answerMilliseconds,
          });
          return acknowledged.seq;
        } catch (error) {
          if (!isApiError(error, "wrongLastSequence")) throw error;
          // It may be this record, whose acknowledgement was lost longer ago than the server remembers ids.
          const there = await get(after + 1);
          return there?.header.get("Nats-Msg-Id") === id ? after + 1 : "taken";
        }
      });
    },
    read: (from, signal) => readLog(requests, names.records, { get, bounds }, from, signal),
    last: async () => (await bounds()).last,
    forget: (below) =>
      requests.patiently("forgetting records", async () => {
        // Nothing is below the first; server 2.9 would remove all.
        if (below > 1) await manager.streams.purge(stream, { seq: below });
      }),
  };
}

interface Source {
  get(sequence: number): Promise<{ readonly data: Uint8Array } | undefined>;
  bounds(): Promise<{ readonly first: number; readonly last: number }>;
}

/** What was read, by sequence, as sums of the records: to find out what of it is no longer there. */
class ReadRecords {
  /** The sequence of the first sum. */
  #first: number;
  #sums: number[] = [];

  constructor(first: number) {
    this.#first = first;
  }

  add(sequence: number, record: Uint8Array): void {
    // After a gap, what was before it is forgotten on the server, too.
    if (sequence !== this.#first + this.#sums.length) {
      this.#first = sequence;
      this.#sums = [];
    }
    this.#sums.push(crc32(record));
  }

  isOther(sequence: number, record: Uint8Array): boolean {
    const sum = this.#sums[sequence - this.#first];
    return sum !== undefined && sum !== crc32(record);
  }

  /** The first sequence whose record is not as it was read, or is gone; one behind the last that was read where all are. */
  async firstOther({ get, bounds }: Source): Promise<number> {
    const { first } = await bounds();
    // Logs that share a record share all before it: what is looked for lies from `low` to `high`.
    let [low, high] = [Math.max(first, this.#first), this.#first + this.#sums.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const there = await get(middle);
      if (!there || this.isOther(middle, there.data)) high = middle;
      else low = middle + 1;
    }
    return high;
  }

  dropFrom(sequence: number): void {
    this.#sums.length = Math.min(this.#sums.length, Math.max(0, sequence - this.#first));
  }
}

async function* readLog(
  requests: Requests,
  subject: string,
  source: Source,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogEntry> {
  let next = Math.max(1, from);
  const read = new ReadRecords(next);
  const ahead = new Map<number, Uint8Array>();
  let [isDoubtful, reconnects] = [false, requests.reconnects];
  /** When to ask whether something was missed. */
  let askAt = 0;
  /** The last record that the server was found to have: up to there, the next ones are asked for at once. */
  let there = 0;
  const subscription = requests.connection.subscribe(subject, {
    callback(error, { headers, data }) {
      if (error) return;
      const sequence = Number(headers?.get("Nats-Sequence"));
      if (sequence < next) isDoubtful ||= read.isOther(sequence, data);
      else if (sequence < next + mostAhead) ahead.set(sequence, data);
      requests.waiters.wake();
    },
  });
  const isOver = () => signal?.aborted === true || requests.isClosed;
  try {
    while (!isOver()) {
      if (isDoubtful || reconnects !== requests.reconnects) {
        [isDoubtful, reconnects] = [false, requests.reconnects];
        next = Math.min(next, await read.firstOther(source));
        read.dropFrom(next);
        ahead.clear();
        askAt = 0;
      }
      let record = ahead.get(next);
      if (record) askAt = Date.now() + pollMilliseconds;
      else if (ahead.size > 0 || next <= there || Date.now() >= askAt) {
        record = await missed();
        if (!record) there = 0;
        askAt = record ? 0 : Date.now() + pollMilliseconds;
      }
      if (record) {
        ahead.delete(next);
        read.add(next, record);
        yield { sequence: next++, record };
      } else if (!isDoubtful && reconnects === requests.reconnects && !ahead.has(next) && !isOver())
        await requests.waiters.change(Math.max(1, askAt - Date.now()), signal);
    }
  } catch (error) {
    if (!isOver()) throw error;
  } finally {
    subscription.unsubscribe();
  }

  /** The record that is due, if the server has it; asks for those behind it in the same breath. */
  async function missed(): Promise<Uint8Array | undefined> {
    const { first, last } = await source.bounds();
    if (last < next - 1) isDoubtful = true;
    there = last;
    next = Math.max(next, first);
    const wanted = Array.from(
      { length: Math.min(batch, last - next + 1) },
      (_, index) => next + index,
    ).filter((sequence) => !ahead.has(sequence));
    const found = await Promise.all(wanted.map((sequence) => source.get(sequence)));
    for (const [index, message] of found.entries())
      if (message) ahead.set(wanted[index] as number, message.data);
    return ahead.get(next);
  }
}
