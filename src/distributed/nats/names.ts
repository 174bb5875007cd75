/** What a run's streams and subjects are called on a server; permissions there are written by these names. */
import { SettingError } from "../../errors/errors.ts";
import type { Role } from "../transport.ts";

/** The streams and subjects of one run. */
export interface RunNames {
  /** The streams: records; leases and objects; tasks. */
  readonly streams: { readonly log: string; readonly state: string; readonly tasks: string };
  /** Where a record is appended. */
  readonly log: string;
  /** Where the server says each record that was appended; nobody else may speak there. */
  readonly records: string;
  /** One lease's subject. */
  lease(name: string): string;
  /** A subject that is written to learn the server's time. */
  readonly clock: string;
  /** All subjects of leases and objects; all of tasks. */
  readonly everyState: string;
  readonly everyTask: string;
  /** What describes an object. */
  manifest(name: string): string;
  /** What describes any object. */
  readonly manifests: string;
  /** An object's name from the subject of its manifest. */
  objectOf(manifest: string): string;
  /** The subject of one chunk of an object, or with `*` and `>` of several. */
  chunk(name: string, version: string, index: number | string): string;
  task(id: string): string;
  /** A task's id from its subject. */
  taskOf(subject: string): string;
  /** What a participant says; `*.*` in the place of one are all. */
  message(role: Role, participant: string, subject: string): string;
  /** Who said a message, and under which subject. */
  originOf(message: string): { readonly sender: string; readonly subject: string };
}

/**
 * The names of a run's streams and subjects.
 *
 * @throws SettingError when the run's name is not one word of letters, digits, `_` and `-`
 */
export function runNames(run: string): RunNames {
  if (!/^[\w-]{1,64}$/.test(run))
    throw new SettingError(
      `A run's name must be a word of letters, digits, "_" and "-" (at most 64), received ${JSON.stringify(run)}.`,
      { option: "run" },
    );
  const base = `forwardgrad.${run}`;
  const streams = {
    log: `forwardgrad_${run}_log`,
    state: `forwardgrad_${run}_state`,
    tasks: `forwardgrad_${run}_tasks`,
  };
  const manifests = `${base}.state.manifest.`;
  const tasks = `${base}.task.`;
  return {
    streams,
    log: `${base}.log`,
    records: `${base}.records`,
    lease: (name) => `${base}.state.lease.${toWord(name)}`,
    everyState: `${base}.state.>`,
    everyTask: `${tasks}*`,
    clock: `${base}.state.clock`,
    manifest: (name) => manifests + toWord(name),
    manifests: `${manifests}*`,
    objectOf: (subject) => fromWord(subject.slice(manifests.length)),
    chunk: (name, version, index) => `${base}.state.chunk.${toWord(name)}.${version}.${index}`,
    task: (id) => `${tasks}${toWord(id)}`,
    taskOf: (subject) => fromWord(subject.slice(tasks.length)),
    message: (role, participant, subject) => `${base}.${role}.${participant}.${subject}`,
    originOf(message) {
      const [, , , user, word, ...subject] = message.split(".");
      return { sender: `${user}.${word}`, subject: subject.join(".") };
    },
  };
}

/** The run that a stream of records belongs to; undefined for other streams. */
export function runOf(stream: string): string | undefined {
  return /^forwardgrad_([\w-]+)_log$/.exec(stream)?.[1];
}

/** Any text as one word of a subject: its UTF-8 bytes in base64 for addresses (RFC 4648, section 5), behind an underscore. */
function toWord(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const letters = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `_${letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

function fromWord(word: string): string {
  const letters = atob(word.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(letters, (letter) => letter.charCodeAt(0)));
}
