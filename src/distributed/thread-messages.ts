/** What a program and the thread that has its connection say to each other, so that the connection lives on while the program computes. */
import type { PlainError } from "../errors/plain-errors.ts";
import type { ConnectionState, LogEntry, Role, Task, Traffic, Transport } from "./transport.ts";

/** A task without what is done with it, which is asked for by its number. */
export interface TakenTask extends Pick<Task, "id" | "message" | "attempt"> {
  readonly number: number;
}

/** What the program asks of the thread. Readers of the log and tasks that are taken have numbers. */
export interface Calls {
  append(record: Uint8Array, after: number, id: string): Promise<number | "taken">;
  last(): Promise<number>;
  forget(below: number): Promise<void>;
  openReader(reader: number, from: number): Promise<void>;
  /** The entries that are there, at least one; undefined where the reader has ended. */
  readMore(reader: number): Promise<readonly LogEntry[] | undefined>;
  closeReader(reader: number): Promise<void>;
  takeLease(name: string, owner: string, milliseconds: number): Promise<boolean>;
  releaseLease(name: string, owner: string): Promise<void>;
  putObject(name: string, bytes: Uint8Array): Promise<void>;
  getObject(name: string): Promise<Uint8Array | undefined>;
  objectNames(): Promise<readonly string[]>;
  removeObject(name: string): Promise<void>;
  offerTask(id: string, message: Uint8Array): Promise<void>;
  takeTask(milliseconds: number): Promise<TakenTask | undefined>;
  taskDone(task: number): Promise<void>;
  giveTaskBack(task: number): Promise<void>;
  taskCounts(): ReturnType<Transport["queue"]["counts"]>;
  clearTasks(): Promise<void>;
  traffic(): Promise<Traffic>;
  close(): Promise<void>;
}

/** One of the calls, with its number. */
export type Call = {
  [Name in keyof Calls]: {
    readonly kind: "call";
    readonly number: number;
    readonly name: Name;
    readonly given: Parameters<Calls[Name]>;
  };
}[keyof Calls];

/** From the program to the thread. */
export type ToThread =
  | Call
  | { readonly kind: "publish"; readonly role: Role; readonly subject: string; readonly message: Uint8Array }
  | { readonly kind: "subscribe"; readonly number: number; readonly role: Role; readonly pattern: string }
  | { readonly kind: "unsubscribe"; readonly number: number };

/** From the thread to the program. */
export type FromThread =
  | {
      readonly kind: "joined";
      readonly participant: string;
      readonly describe: string;
      readonly largestMessage: number;
      readonly detail: string;
    }
  | { readonly kind: "not joined"; readonly error: PlainError }
  | { readonly kind: "answer"; readonly number: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly number: number; readonly error: PlainError }
  | {
      readonly kind: "heard";
      readonly number: number;
      readonly message: Uint8Array;
      readonly sender: string;
      readonly subject: string;
    }
  | { readonly kind: "state"; readonly state: ConnectionState; readonly detail: string };

/** One end of a line between threads. */
export interface ThreadPort<Sent, Heard> {
  post(message: Sent): void;
  /** Hears every message from now on. */
  onMessage(heard: (message: Heard) => void): void;
}
