/**
 * What the participants of a run say to each other, and what they keep in common, whatever carries it. Messages may be lost,
 * repeated, late, and out of order; what is kept has one order for all.
 */

/**
 * As what somebody speaks. A server that knows its users lets each speak in some roles, and as themselves alone, so a role
 * and a sender are what it vouches for, not what a message claims.
 */
export type Role = "coordinator" | "worker";

/** Who said something, and under which subject. */
export interface Origin {
  /** {@link Transport.participant} of who spoke. */
  readonly sender: string;
  /** The subject that it was said under. */
  readonly subject: string;
}

/** Hears one message. */
export type Listener = (message: Uint8Array, origin: Origin) => void;

/** A record of the log, and its number in the order of all. */
export interface LogEntry {
  /** From 1; without gaps but for what was forgotten. */
  readonly sequence: number;
  /** What was appended, byte for byte. */
  readonly record: Uint8Array;
}

/** A run's records, in one order for all. What was acknowledged may still be lost where a server dies that does not sync always. */
export interface Log {
  /**
   * Appends behind sequence `after`, or says that another came before (`"taken"`): of two that append behind the same one,
   * only one can. It waits out a lost connection. Safe to repeat under the same id, for at least a minute.
   *
   * @param id names this record alone among all of the log
   * @returns the record's sequence
   * @throws TransportError when it is refused, when the store is full, when the record is too large, or when the transport
   *   was closed
   */
  append(record: Uint8Array, after: number, id: string): Promise<number | "taken">;
  /**
   * All records from a sequence on, then new ones as they come, until stopped or closed. Sequences follow each other, with two
   * exceptions. Where records were forgotten, it begins with the first that is there. Where the log lost its tail,
   * and other records are there now, it goes on with the first that is not as it was read: a sequence that is not above the
   * last one says that all that was read from this sequence on is void.
   */
  read(from: number, signal?: AbortSignal): AsyncIterable<LogEntry>;
  /** The last sequence; 0 for an empty log. */
  last(): Promise<number>;
  /** Removes records below a sequence, once a snapshot stands for them. */
  forget(below: number): Promise<void>;
}

/**
 * How it stands with what all speak to. `silent`: the connection is there, and what is to be kept is answered by nothing, as by a
 * server whose disk is full.
 */
export type ConnectionState = "connected" | "silent" | "disconnected";

/** One owner at a time, for at most as long as was asked for without a renewal. */
export interface Lease {
  /**
   * Takes what nobody holds, or renews what `owner` holds.
   *
   * @returns whether `owner` holds it now, for `milliseconds` from when it was asked for; false, too, where nobody answers in
   *   this time
   */
  take(name: string, owner: string, milliseconds: number): Promise<boolean>;
  /** Gives back what `owner` holds. */
  release(name: string, owner: string): Promise<void>;
}

/** Large things by name (snapshots, a model, what a run is): any text is a name. */
export interface Objects {
  /** Writes all of it, or leaves what was there. @throws TransportError as {@link Log.append} */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Its bytes, whole and checked; undefined where there is none. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** All names, sorted. */
  names(): Promise<readonly string[]>;
  /** Removes it, where it is there. */
  remove(name: string): Promise<void>;
}

/** A piece of work that was taken from a queue: this participant's until it is done, given back, or the participant is gone. */
export interface Task {
  /** The id that it was offered under. */
  readonly id: string;
  /** What was offered. */
  readonly message: Uint8Array;
  /** How often it was handed out, this time included. */
  readonly attempt: number;
  /** It is done, and nobody is to have it again. */
  done(): Promise<void>;
  /** Somebody else may have it at once. */
  giveBack(): Promise<void>;
}

/** Work that waits for whoever takes it. A task whose taker is gone is handed out again, so it may be worked on twice. */
export interface Queue {
  /** Offers a task. An id that is waiting, taken, or was done within a minute is not offered twice. @throws as {@link Log.append} */
  offer(id: string, message: Uint8Array): Promise<void>;
  /** The next task; undefined where none came within `milliseconds`, or the transport is not connected. */
  take(milliseconds: number): Promise<Task | undefined>;
  /** Tasks that wait, and tasks that are taken. */
  counts(): Promise<{ readonly waiting: number; readonly taken: number }>;
  /** Removes all tasks that wait. */
  clear(): Promise<void>;
}

/** Messages and bytes of them that this participant sent and received, as they go over the line. */
export interface Traffic {
  /** Messages sent. */
  readonly sent: number;
  /** Bytes of them. */
  readonly sentBytes: number;
  /** Messages received. */
  readonly received: number;
  /** Bytes of them. */
  readonly receivedBytes: number;
}

/** One participant's way to all others of a run. */
export interface Transport {
  /** This participant's name among all: what the server calls its user, a point, and a word that is its own. */
  readonly participant: string;
  /** The run and where it is, for people, as the beginning of a sentence: `Run mnist on 10.0.0.7:4222`. */
  readonly describe: string;
  /** The most bytes that a message or a record can have. */
  readonly largestMessage: number;
  /**
   * Says something to whoever listens now, oneself included; may be lost. A subject is words of letters, digits, `_` and `-`
   * with points between.
   *
   * @throws TransportError when the message is too large
   */
  publish(role: Role, subject: string, message: Uint8Array): void;
  /** Hears what is said in a role under a subject, in which `*` is any one word. Returns what ends it. */
  subscribe(role: Role, subject: string, heard: Listener): () => void;
  /** The run's records. */
  readonly log: Log;
  /** What one participant owns at a time. */
  readonly lease: Lease;
  /** What is too large for messages. */
  readonly objects: Objects;
  /** The run's tasks, if it has any. */
  readonly queue: Queue;
  /** Connection lost and back, in words for people; first what it is now. Returns what ends it. */
  onState(heard: (state: ConnectionState, detail: string) => void): () => void;
  /** What went over the line so far. */
  traffic(): Promise<Traffic>;
  /** Leaves: iterations end, waiting calls throw, tasks that were taken go to others. */
  close(): Promise<void>;
}
