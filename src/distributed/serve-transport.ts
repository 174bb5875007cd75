/** The thread's side: a transport that is asked for by messages. */
import { plainError } from "../errors/plain-errors.ts";
import type { Call, Calls, FromThread, TakenTask, ThreadPort, ToThread } from "./thread-messages.ts";
import type { LogEntry, Task, Transport } from "./transport.ts";

/** Entries that are sent at once, at most. */
const mostEntries = 256;

/** Joins, says so, and serves until it is asked to close. */
export async function serveTransport(
  port: ThreadPort<FromThread, ToThread>,
  join: () => Promise<Transport>,
): Promise<void> {
  let transport: Transport;
  try {
    transport = await join();
  } catch (error) {
    port.post({ kind: "not joined", error: plainError(error) });
    return;
  }
  const calls = callsOf(transport);
  const subscriptions = new Map<number, () => void>();
  port.onMessage((message) => {
    switch (message.kind) {
      case "call":
        void answer(message);
        break;
      case "publish":
        transport.publish(message.role, message.subject, message.message);
        break;
      case "subscribe": {
        const { number, role, pattern } = message;
        const end = transport.subscribe(role, pattern, (heard, origin) =>
          port.post({ kind: "heard", number, message: heard.slice(), ...origin }),
        );
        subscriptions.set(number, end);
        break;
      }
      case "unsubscribe":
        subscriptions.get(message.number)?.();
        subscriptions.delete(message.number);
        break;
    }
  });
  const { participant, describe, largestMessage } = transport;
  let isJoined = false;
  transport.onState((state, detail) => {
    // It says at once what it is.
    if (isJoined) port.post({ kind: "state", state, detail });
    else port.post({ kind: "joined", participant, describe, largestMessage, detail });
    isJoined = true;
  });

  async function answer({ number, name, given }: Call): Promise<void> {
    try {
      const call = calls[name] as (...given: readonly unknown[]) => Promise<unknown>;
      port.post({ kind: "answer", number, value: await call(...given) });
    } catch (error) {
      port.post({ kind: "failure", number, error: plainError(error) });
    }
  }
}

function callsOf({ log, lease, objects, queue, traffic, close }: Transport): Calls {
  const readers = new Map<number, Reader>();
  const tasks = new Map<number, Task>();
  let taken = 0;
  const task = (number: number): Task => tasks.get(number) as Task;
  return {
    append: log.append,
    last: log.last,
    forget: log.forget,
    async openReader(number, from) {
      readers.set(number, new Reader((signal) => log.read(from, signal)));
    },
    readMore: async (number) => readers.get(number)?.more(),
    async closeReader(number) {
      readers.get(number)?.stop();
      readers.delete(number);
    },
    takeLease: lease.take,
    releaseLease: lease.release,
    putObject: objects.put,
    getObject: objects.get,
    objectNames: objects.names,
    removeObject: objects.remove,
    offerTask: queue.offer,
    async takeTask(milliseconds) {
      const found = await queue.take(milliseconds);
      if (!found) return undefined;
      const number = taken++;
      tasks.set(number, found);
      const { id, message, attempt } = found;
      return { number, id, message: message.slice(), attempt } satisfies TakenTask;
    },
    async taskDone(number) {
      await task(number).done();
      tasks.delete(number);
    },
    async giveTaskBack(number) {
      await task(number).giveBack();
      tasks.delete(number);
    },
    taskCounts: queue.counts,
    clearTasks: queue.clear,
    traffic,
    close,
  };
}

/** Reads a log ahead of who asks for its entries. */
class Reader {
  readonly #stop = new AbortController();
  #entries: LogEntry[] = [];
  #isOver = false;
  #failure: unknown;
  #wake: () => void = () => undefined;
  /** Goes on reading where it waits for entries to be fetched. */
  #goOn: () => void = () => undefined;

  constructor(read: (signal: AbortSignal) => AsyncIterable<LogEntry>) {
    void this.#read(read(this.#stop.signal));
  }

  async more(): Promise<readonly LogEntry[] | undefined> {
    while (this.#entries.length === 0 && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#entries.length === 0 && this.#failure !== undefined) throw this.#failure;
    if (this.#entries.length === 0) return undefined;
    const entries = this.#entries;
    this.#entries = [];
    this.#goOn();
    return entries;
  }

  stop(): void {
    this.#stop.abort();
    this.#isOver = true;
    this.#wake();
    this.#goOn();
  }

  async #read(entries: AsyncIterable<LogEntry>): Promise<void> {
    try {
      for await (const { sequence, record } of entries) {
        // A copy: the record may lie in a large buffer, all of which a message would carry.
        this.#entries.push({ sequence, record: record.slice() });
        this.#wake();
        if (this.#entries.length >= mostEntries && !this.#isOver)
          await new Promise<void>((resolve) => {
            this.#goOn = resolve;
          });
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#isOver = true;
    this.#wake();
  }
}
