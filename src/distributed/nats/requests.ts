/** Requests to a server that go on when its connection is lost and comes back, and what its refusals mean. */
import type { NatsConnection, Status } from "@nats-io/nats-core";
import { ForwardgradError } from "../../errors/errors.ts";
import type { ConnectionState } from "../transport.ts";
import { closed, full, TransportError } from "../transport-error.ts";
import { Waiters } from "../waiters.ts";

type StateListener = (state: ConnectionState, detail: string) => void;

/** Milliseconds that one request waits for its answer. */
export const answerMilliseconds = 3000;

/** After so many in a row that were not answered, the server counts as silent. */
const mostTimeouts = 2;

/** Numbers by which JetStream names what is wrong. */
const codes = {
  /** Somebody else wrote in between. */
  wrongLastSequence: [10071, 10164],
  streamNotFound: [10059],
  /** No memory or disk left, for the server or for this account; a stream that could not store. */
  full: [10023, 10047, 10028, 10052, 10077],
} as const;

/** Whether an error is one of JetStream's with one of these numbers. */
export function isApiError(error: unknown, kind: keyof typeof codes): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "number" && (codes[kind] as readonly number[]).includes(code);
}

/** One connection, watched. */
export class Requests {
  readonly connection: NatsConnection;
  readonly #restore: () => Promise<void>;
  readonly #listeners = new Set<StateListener>();
  /** Those who wait for the connection, or for a record. */
  readonly waiters = new Waiters();
  /** What waits for an answer, which does not come when the connection is lost or closed. */
  readonly #unanswered = new Set<(why: Error) => void>();
  #state: ConnectionState = "connected";
  #detail: string;
  #end: TransportError | undefined;
  /** Requests in a row that nothing answered, although the connection is there. */
  #timeouts = 0;
  /** How often the connection came back. */
  reconnects = 0;
  /** What the server does not let this participant say or hear, in its words. */
  readonly refused = new Set<string>();

  /** @param restore makes what is missing on the server, where that is this participant's to do */
  constructor(connection: NatsConnection, restore: () => Promise<void>) {
    this.connection = connection;
    this.#restore = restore;
    this.#detail = connection.getServer();
    void this.#watch();
    void connection.closed().then((error) => {
      this.#finish(error ? lostForGood(error) : closed());
      this.#change("disconnected", this.#end?.message ?? "");
    });
  }

  get isConnected(): boolean {
    return this.#state !== "disconnected" && !this.#end;
  }

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  onState(heard: StateListener): () => void {
    this.#listeners.add(heard);
    heard(this.#state, this.#detail);
    return () => this.#listeners.delete(heard);
  }

  /**
   * Does what is safe to repeat until the server has answered.
   *
   * @param what is to be kept, for the message where there is no more room for it
   * @throws TransportError when it is refused, when there is no more room, or when the transport was closed
   */
  async patiently<Result>(what: string, attempt: () => Promise<Result>): Promise<Result> {
    for (let pause = 50; ; pause = Math.min(2 * pause, 1000)) {
      if (this.#end) throw this.#end;
      if (!this.isConnected) {
        await this.waiters.change();
        continue;
      }
      try {
        const result = await this.#unlessLost(attempt());
        this.#answered();
        return result;
      } catch (error) {
        if (this.#end) throw this.#end;
        if (isTimeout(error)) this.#unansweredOnce();
        else this.#timeouts = 0;
        const refusal = refusalOf(error, what);
        if (refusal) throw refusal;
        if (isApiError(error, "streamNotFound")) await this.#restore().catch(() => undefined);
        else if (!isPassing(error)) throw error;
        await this.waiters.change(pause);
      }
    }
  }

  #answered(): void {
    this.#timeouts = 0;
    if (this.#state === "silent") this.#change("connected", this.connection.getServer());
  }

  #unansweredOnce(): void {
    this.#timeouts++;
    if (this.#timeouts < mostTimeouts || this.#state !== "connected") return;
    this.#change(
      "silent",
      `${this.connection.getServer()} is there, and answers nothing that is to be kept, as where its disk is full: look at its ` +
        "log, make room, and start it again",
    );
  }

  /** What some work comes to, unless the connection is lost or the transport closed before. */
  #unlessLost<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject);
      work.then(resolve, reject).finally(() => this.#unanswered.delete(reject));
    });
  }

  async close(): Promise<void> {
    this.#finish(closed());
    await this.connection.close();
  }

  #finish(why: TransportError): void {
    this.#end ??= why;
    this.#giveUp(this.#end);
    this.waiters.wake();
  }

  #giveUp(why: Error): void {
    for (const reject of [...this.#unanswered]) reject(why);
  }

  #change(state: ConnectionState, detail: string): void {
    if (state === "disconnected") this.#giveUp(new LostConnectionError(detail));
    this.#state = state;
    this.#detail = detail;
    for (const heard of [...this.#listeners]) heard(state, detail);
    this.waiters.wake();
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) this.#hear(status);
  }

  #hear(status: Status): void {
    if (status.type === "disconnect") this.#change("disconnected", `${status.server} does not answer`);
    else if (status.type === "reconnect") {
      this.reconnects++;
      this.#change("connected", status.server);
    } else if (status.type === "error" && isPermission(status.error)) {
      this.refused.add(status.error.message);
      this.#change(this.#state, `the server refuses this participant: ${status.error.message}`);
    }
  }
}

/** The connection was lost before the answer came; it is asked again when it is back. */
class LostConnectionError extends ForwardgradError {
  override readonly name = "LostConnectionError";
}

function lostForGood(cause: Error): TransportError {
  return new TransportError(
    `The server ended this participant's connection: ${cause.message}. Look at its credentials, and at the server's log.`,
    { reason: isPermission(cause) ? "refused" : "unavailable", cause },
  );
}

/** An error and those behind it. */
function chain(error: unknown): readonly Error[] {
  return error instanceof Error ? [error, ...chain(error.cause)] : [];
}

/** Whether the server does not let this participant do something. */
export function isPermission(error: unknown): boolean {
  return chain(error).some(({ name }) =>
    ["PermissionViolationError", "AuthorizationError", "UserAuthenticationExpiredError"].includes(name),
  );
}

function refusalOf(error: unknown, what: string): TransportError | undefined {
  if (isPermission(error)) {
    const [inner] = chain(error).slice(-1);
    return new TransportError(
      `The server refuses ${what}: ${inner?.message}. Use credentials that may, or give these the right on the server.`,
      { reason: "refused", cause: error },
    );
  }
  return isApiError(error, "full") ? full(what, error) : undefined;
}

function isTimeout(error: unknown): boolean {
  return chain(error).some(({ name }) => name === "TimeoutError");
}

/** Whether waiting may help. */
export function isPassing(error: unknown): boolean {
  return chain(error).some(
    ({ name }) =>
      /^(Timeout|NoResponders|Request|Connection|LostConnection|ClosedConnection|DrainingConnection|JetStreamStatus)Error$/.test(
        name,
      ) ||
      name === "JetStreamNotEnabled" ||
      (name === "JetStreamApiError" &&
        [503, 500].includes((error as { readonly status?: number }).status ?? 0)),
  );
}
