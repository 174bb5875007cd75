/** A coordinator's pen: appends records behind each other, restores what the log lost, and notices another coordinator. */
import { areSameBytes } from "../../arrays/same-bytes.ts";
import { ForwardgradError } from "../../errors/errors.ts";
import type { Transport } from "../transport.ts";
import { decodeRecord, encodeRecord, type RunRecord } from "./records.ts";

/** So many of the newest records are kept, to be appended again where a server lost them. */
const keptRecords = 2 ** 16;

/** Somebody else coordinates the run. */
export class CoordinatorReplacedError extends ForwardgradError {
  override readonly name: string = "CoordinatorReplacedError";
}

/** Appends to a run's log. */
export class Journal {
  readonly #transport: Transport;
  readonly #kept = new Map<number, Uint8Array>();
  /** Ids of records are this pen's alone: a participant may have had another before. */
  readonly #name = crypto.randomUUID();
  #after: number;
  #count = 0;

  /** @param after the last record that is known */
  constructor(transport: Transport, after: number) {
    this.#transport = transport;
    this.#after = after;
  }

  /** The last record that is known. */
  get after(): number {
    return this.#after;
  }

  /** A record that was read. */
  passed(sequence: number, record: RunRecord): void {
    this.#after = sequence;
    this.#keep(sequence, encodeRecord(record));
  }

  /** @throws CoordinatorReplacedError where another coordinator appended before */
  async append(record: RunRecord): Promise<number> {
    const bytes = encodeRecord(record);
    const id = this.#id();
    for (;;) {
      const got = await this.#transport.log.append(bytes, this.#after, id);
      if (got !== "taken") {
        this.#after = got;
        this.#keep(got, bytes);
        return got;
      }
      const last = await this.#transport.log.last();
      if (last < this.#after) await this.#restore(last);
      // Ours, whose acknowledgement was lost.
      else if (last > this.#after && areSameBytes(await readOne(this.#transport, this.#after + 1), bytes)) {
        this.#after++;
        this.#keep(this.#after, bytes);
        return this.#after;
      } else if (last > this.#after)
        throw new CoordinatorReplacedError(
          `Another coordinator goes on with this run: it wrote record ${this.#after + 1}. This one stops; nothing that counts is lost.`,
        );
    }
  }

  /** Appends again what a server lost behind a record. */
  async #restore(last: number): Promise<void> {
    for (let sequence = last + 1; sequence <= this.#after; sequence++) {
      const bytes = this.#kept.get(sequence);
      if (!bytes)
        throw new ForwardgradError(
          `The log lost its records behind ${last}, more than this coordinator remembers. Start it again with its store: the run goes on from its last checkpoint.`,
        );
      const got = await this.#transport.log.append(bytes, sequence - 1, this.#id());
      if (got === "taken")
        throw new CoordinatorReplacedError(
          `Another coordinator goes on with this run, whose log was lost behind record ${last}. This one stops.`,
        );
    }
  }

  #id(): string {
    return `${this.#name}-${this.#count++}`;
  }

  #keep(sequence: number, bytes: Uint8Array): void {
    this.#kept.set(sequence, bytes);
    this.#kept.delete(sequence - keptRecords);
  }
}

/** A run that failed is gone on with: from now on its newest record says that it waits, so that whoever joins does, too. */
export async function reopen(transport: Transport): Promise<void> {
  const last = await transport.log.last();
  const record = last > 0 ? decodeRecord(await readOne(transport, last)) : undefined;
  if (record?.kind === "end" && record.how === "failed")
    await new Journal(transport, last).append({ kind: "end", how: "paused", why: "" });
}

/** A record that is there. */
async function readOne({ log }: Transport, sequence: number): Promise<Uint8Array> {
  const stop = new AbortController();
  for await (const entry of log.read(sequence, stop.signal)) {
    stop.abort();
    return entry.record;
  }
  return new Uint8Array();
}
