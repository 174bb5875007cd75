/** What participants in one process keep in common: log, leases, objects and tasks, and each one's line to them. */
import { areSameBytes } from "../arrays/same-bytes.ts";
import type { Lease, Log, LogEntry, Objects, Queue, Task, Traffic, Transport } from "./transport.ts";
import { closed, full, tooLarge } from "./transport-error.ts";
import { Waiters } from "./waiters.ts";

/** What one participant has of it. */
export interface Line extends Pick<Transport, "log" | "lease" | "objects" | "queue" | "onState"> {
  isOpen(): boolean;
  count(bytes: number, way: "sent" | "received"): void;
  traffic(): Traffic;
  close(): void;
}

type StateListener = Parameters<Transport["onState"]>[0];

interface OfferedTask {
  readonly message: Uint8Array;
  attempt: number;
  /** Who has it; undefined while it waits. */
  taker?: string | undefined;
  /** When the taker lost its line. */
  lostSince?: number | undefined;
}

/** The common part; it survives whoever uses it. */
export class MemoryKeeper {
  readonly #largest: number;
  readonly #taskMilliseconds: number;
  #records: { readonly id: string; readonly record: Uint8Array }[] = [];
  /** Records up to here are forgotten. */
  #forgotten = 0;
  /** How often the log lost its tail. */
  #losses = 0;
  readonly #leases = new Map<string, { readonly owner: string; readonly until: number }>();
  readonly #objects = new Map<string, Uint8Array>();
  readonly #tasks = new Map<string, OfferedTask>();
  readonly #done = new Set<string>();
  readonly #cut = new Set<string>();
  readonly #closed = new Set<string>();
  readonly #stateListeners = new Map<StateListener, string>();
  readonly #waiters = new Waiters();
  isFull = false;

  constructor(largest: number, taskMilliseconds: number) {
    this.#largest = largest;
    this.#taskMilliseconds = taskMilliseconds;
  }

  /** Cuts or mends a participant's line. */
  setLine(participant: string, isWhole: boolean): void {
    if (isWhole === !this.#cut.has(participant)) return;
    if (isWhole) this.#cut.delete(participant);
    else this.#cut.add(participant);
    for (const task of this.#tasks.values())
      if (task.taker === participant) task.lostSince = isWhole ? undefined : Date.now();
    for (const [heard, whose] of this.#stateListeners) if (whose === participant) this.#tell(heard, whose);
    this.#waiters.wake();
  }

  /** The log loses its last records. */
  loseTail(records: number): void {
    this.#records = this.#records.slice(0, Math.max(0, this.#records.length - records));
    this.#losses++;
    this.#waiters.wake();
  }

  /** One participant's line. */
  line(participant: string): Line {
    const traffic = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
    const count = (bytes: number, way: "sent" | "received") => {
      traffic[way]++;
      traffic[`${way}Bytes`] += bytes;
    };
    return {
      log: this.#log(participant, count),
      lease: this.#lease(participant),
      objects: this.#objectsOf(participant, count),
      queue: this.#queue(participant),
      onState: (heard) => {
        this.#stateListeners.set(heard, participant);
        this.#tell(heard, participant);
        return () => this.#stateListeners.delete(heard);
      },
      isOpen: () => this.#isOpen(participant),
      count,
      traffic: () => ({ ...traffic }),
      close: () => {
        this.#closed.add(participant);
        for (const task of this.#tasks.values()) if (task.taker === participant) task.taker = undefined;
        this.#waiters.wake();
      },
    };
  }

  #tell(heard: StateListener, participant: string): void {
    const isWhole = !this.#cut.has(participant);
    heard(isWhole ? "connected" : "disconnected", isWhole ? "in one process" : "the line was cut");
  }

  #isOpen(participant: string): boolean {
    return !this.#cut.has(participant) && !this.#closed.has(participant);
  }

  /** Waits for the line. @throws TransportError when the participant has left */
  async #whole(participant: string): Promise<void> {
    // Nothing over a line is answered at once.
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (;;) {
      if (this.#closed.has(participant)) throw closed();
      if (!this.#cut.has(participant)) return;
      await this.#waiters.change();
    }
  }

  #log(participant: string, count: Line["count"]): Log {
    const read = (from: number, signal?: AbortSignal) => this.#read(participant, from, signal, count);
    return {
      append: async (record, after, id) => {
        if (record.length > this.#largest) throw tooLarge(record.length, this.#largest);
        const copy = record.slice();
        await this.#whole(participant);
        count(copy.length, "sent");
        const before = this.#records.findIndex((each) => each.id === id);
        if (before >= 0) return before + 1;
        if (after !== this.#records.length) return "taken";
        if (this.isFull) throw full("a record");
        this.#records.push({ id, record: copy });
        this.#waiters.wake();
        return this.#records.length;
      },
      read,
      last: async () => {
        await this.#whole(participant);
        return this.#records.length;
      },
      forget: async (below) => {
        await this.#whole(participant);
        this.#forgotten = Math.max(this.#forgotten, Math.min(below - 1, this.#records.length));
      },
    };
  }

  async *#read(
    participant: string,
    from: number,
    signal: AbortSignal | undefined,
    count: Line["count"],
  ): AsyncGenerator<LogEntry> {
    const seen = new Map<number, Uint8Array>();
    let [next, losses] = [Math.max(1, from), this.#losses];
    while (!signal?.aborted && !this.#closed.has(participant)) {
      if (losses !== this.#losses) {
        losses = this.#losses;
        for (const [sequence, record] of seen) {
          const now = this.#records[sequence - 1]?.record;
          if (!now || !areSameBytes(now, record)) next = Math.min(next, sequence);
        }
      }
      next = Math.max(next, this.#forgotten + 1);
      const found = this.#isOpen(participant) ? this.#records[next - 1] : undefined;
      if (!found) {
        await this.#waiters.change(undefined, signal);
        continue;
      }
      seen.set(next, found.record);
      count(found.record.length, "received");
      yield { sequence: next++, record: found.record.slice() };
    }
  }

  #lease(participant: string): Lease {
    return {
      take: async (name, owner, milliseconds) => {
        const since = Date.now();
        while (!this.#isOpen(participant)) {
          if (this.#closed.has(participant)) throw closed();
          const left = since + milliseconds - Date.now();
          if (left <= 0) return false;
          await this.#waiters.change(left);
        }
        const held = this.#leases.get(name);
        if (held && held.owner !== owner && held.until > Date.now()) return false;
        this.#leases.set(name, { owner, until: since + milliseconds });
        return true;
      },
      release: async (name, owner) => {
        await this.#whole(participant);
        if (this.#leases.get(name)?.owner === owner) this.#leases.delete(name);
      },
    };
  }

  #objectsOf(participant: string, count: Line["count"]): Objects {
    return {
      put: async (name, bytes) => {
        const copy = bytes.slice();
        await this.#whole(participant);
        if (this.isFull) throw full(`'${name}'`);
        count(copy.length, "sent");
        this.#objects.set(name, copy);
      },
      get: async (name) => {
        await this.#whole(participant);
        const found = this.#objects.get(name)?.slice();
        if (found) count(found.length, "received");
        return found;
      },
      names: async () => {
        await this.#whole(participant);
        return [...this.#objects.keys()].sort();
      },
      remove: async (name) => {
        await this.#whole(participant);
        this.#objects.delete(name);
      },
    };
  }

  #queue(participant: string): Queue {
    return {
      offer: async (id, message) => {
        if (message.length > this.#largest) throw tooLarge(message.length, this.#largest);
        const copy = message.slice();
        await this.#whole(participant);
        if (this.#tasks.has(id) || this.#done.has(id)) return;
        if (this.isFull) throw full(`task '${id}'`);
        this.#tasks.set(id, { message: copy, attempt: 0 });
        this.#waiters.wake();
      },
      take: async (milliseconds) => {
        const until = Date.now() + milliseconds;
        for (;;) {
          if (this.#closed.has(participant)) throw closed();
          const task = this.#isOpen(participant) ? this.#takeTask(participant) : undefined;
          const left = until - Date.now();
          if (task || left <= 0) return task;
          await this.#waiters.change(Math.min(left, this.#taskMilliseconds));
        }
      },
      counts: async () => {
        await this.#whole(participant);
        const taken = [...this.#tasks.values()].filter((task) => task.taker !== undefined).length;
        return { waiting: this.#tasks.size - taken, taken };
      },
      clear: async () => {
        await this.#whole(participant);
        for (const [id, task] of this.#tasks) if (task.taker === undefined) this.#tasks.delete(id);
      },
    };
  }

  #takeTask(participant: string): Task | undefined {
    const isFree = ({ taker, lostSince }: OfferedTask) =>
      taker === undefined || (lostSince !== undefined && Date.now() - lostSince >= this.#taskMilliseconds);
    const found = [...this.#tasks].find(([, task]) => isFree(task));
    if (!found) return undefined;
    const [id, task] = found;
    task.taker = participant;
    task.lostSince = undefined;
    task.attempt++;
    return {
      id,
      message: task.message.slice(),
      attempt: task.attempt,
      done: async () => {
        await this.#whole(participant);
        this.#tasks.delete(id);
        this.#done.add(id);
      },
      giveBack: async () => {
        await this.#whole(participant);
        if (task.taker === participant) task.taker = undefined;
        this.#waiters.wake();
      },
    };
  }
}
