/** The program's side: a transport whose connection another thread has. */
import { errorFrom } from "../errors/plain-errors.ts";
import { checkSubject } from "./subjects.ts";
import type { Calls, FromThread, ThreadPort, ToThread } from "./thread-messages.ts";
import type { ConnectionState, Listener, LogEntry, Task, Transport } from "./transport.ts";
import { closed, TransportError, tooLarge } from "./transport-error.ts";

const furtherClasses = { TransportError };

interface Unanswered {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread that has a connection, or is about to. */
export interface TransportThread extends ThreadPort<ToThread, FromThread> {
  /** Hears that it ended before it was asked to. */
  onEnd(heard: (why: string) => void): void;
  /** Ends it. */
  end(): Promise<void>;
}

/**
 * A transport by way of a thread that serves one.
 *
 * @throws what joining threw there
 */
export async function threadTransport(thread: TransportThread): Promise<Transport> {
  const program = new Program(thread);
  try {
    return await program.joined;
  } catch (error) {
    await thread.end();
    throw error;
  }
}

class Program {
  readonly joined: Promise<Transport>;
  readonly #thread: TransportThread;
  readonly #unanswered = new Map<number, Unanswered>();
  readonly #listeners = new Map<number, Listener>();
  readonly #stateListeners = new Set<Parameters<Transport["onState"]>[0]>();
  #numbers = 0;
  #state: readonly [ConnectionState, string] = ["connected", ""];
  #end: TransportError | undefined;

  constructor(thread: TransportThread) {
    this.#thread = thread;
    this.joined = new Promise((resolve, reject) => {
      thread.onMessage((message) => {
        if (message.kind === "joined") {
          this.#state = ["connected", message.detail];
          resolve(this.#transport(message));
        } else if (message.kind === "not joined") reject(errorFrom(message.error, furtherClasses));
        else this.#hear(message);
      });
      thread.onEnd((why) => {
        const error = new TransportError(`The thread that has the connection ended: ${why}.`, {
          reason: "closed",
        });
        reject(error);
        this.#finish(error);
      });
    });
  }

  #hear(message: Exclude<FromThread, { readonly kind: "joined" | "not joined" }>): void {
    switch (message.kind) {
      case "heard":
        this.#listeners.get(message.number)?.(message.message, message);
        break;
      case "state":
        this.#tell(message.state, message.detail);
        break;
      case "answer":
        this.#unanswered.get(message.number)?.resolve(message.value);
        this.#unanswered.delete(message.number);
        break;
      case "failure":
        this.#unanswered.get(message.number)?.reject(errorFrom(message.error, furtherClasses));
        this.#unanswered.delete(message.number);
        break;
    }
  }

  #tell(state: ConnectionState, detail: string): void {
    this.#state = [state, detail];
    for (const heard of [...this.#stateListeners]) heard(state, detail);
  }

  #finish(error: TransportError): void {
    this.#end ??= error;
    for (const { reject } of this.#unanswered.values()) reject(this.#end);
    this.#unanswered.clear();
    this.#tell("disconnected", this.#end.message);
  }

  #call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): ReturnType<Calls[Name]> {
    const answer = new Promise((resolve, reject) => {
      if (this.#end) {
        reject(this.#end);
        return;
      }
      const number = this.#numbers++;
      this.#unanswered.set(number, { resolve, reject });
      this.#thread.post({ kind: "call", number, name, given } as ToThread);
    });
    // What the thread answers to this call is what it returns there.
    return answer as ReturnType<Calls[Name]>;
  }

  async *#read(from: number, signal?: AbortSignal): AsyncGenerator<LogEntry> {
    const reader = this.#numbers++;
    const stop = () => void this.#call("closeReader", reader).catch(() => undefined);
    signal?.addEventListener("abort", stop);
    try {
      await this.#call("openReader", reader, from);
      for (;;) {
        const entries = signal?.aborted ? undefined : await this.#call("readMore", reader);
        if (!entries) return;
        for (const entry of entries) {
          if (signal?.aborted) return;
          yield entry;
        }
      }
    } catch (error) {
      if (!this.#end) throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      stop();
    }
  }

  async #takeTask(milliseconds: number): Promise<Task | undefined> {
    const task = await this.#call("takeTask", milliseconds);
    if (!task) return undefined;
    const { number, id, message, attempt } = task;
    return {
      id,
      message,
      attempt,
      done: () => this.#call("taskDone", number),
      giveBack: () => this.#call("giveTaskBack", number),
    };
  }

  #transport({
    participant,
    describe,
    largestMessage,
  }: Pick<Transport, "participant" | "describe" | "largestMessage">): Transport {
    const checkSize = (bytes: number) => {
      if (bytes > largestMessage) throw tooLarge(bytes, largestMessage);
    };
    return {
      participant,
      describe,
      largestMessage,
      publish: (role, subject, message) => {
        checkSubject(subject);
        checkSize(message.length);
        this.#thread.post({ kind: "publish", role, subject, message: message.slice() });
      },
      subscribe: (role, pattern, heard) => {
        checkSubject(pattern, true);
        const number = this.#numbers++;
        this.#listeners.set(number, heard);
        this.#thread.post({ kind: "subscribe", number, role, pattern });
        return () => {
          this.#listeners.delete(number);
          this.#thread.post({ kind: "unsubscribe", number });
        };
      },
      log: {
        append: async (record, after, id) => {
          checkSize(record.length);
          return this.#call("append", record.slice(), after, id);
        },
        read: (from, signal) => this.#read(from, signal),
        last: () => this.#call("last"),
        forget: (below) => this.#call("forget", below),
      },
      lease: {
        take: (name, owner, milliseconds) => this.#call("takeLease", name, owner, milliseconds),
        release: (name, owner) => this.#call("releaseLease", name, owner),
      },
      objects: {
        put: (name, bytes) => this.#call("putObject", name, bytes.slice()),
        get: (name) => this.#call("getObject", name),
        names: () => this.#call("objectNames"),
        remove: (name) => this.#call("removeObject", name),
      },
      queue: {
        offer: async (id, message) => {
          checkSize(message.length);
          return this.#call("offerTask", id, message.slice());
        },
        take: (milliseconds) => this.#takeTask(milliseconds),
        counts: () => this.#call("taskCounts"),
        clear: () => this.#call("clearTasks"),
      },
      onState: (heard) => {
        this.#stateListeners.add(heard);
        heard(...this.#state);
        return () => this.#stateListeners.delete(heard);
      },
      traffic: () => this.#call("traffic"),
      close: async () => {
        if (this.#end) return;
        await this.#call("close").catch(() => undefined);
        this.#finish(closed());
        await this.#thread.end();
      },
    };
  }
}
