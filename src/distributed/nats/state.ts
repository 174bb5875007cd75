/** Leases and objects: the last message of each subject of one stream, read by asking for it. */
import type { JetStreamClient, JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { sha256 } from "../../storage/sha256.ts";
import { atOnce } from "../at-once.ts";
import type { Lease, Objects } from "../transport.ts";
import type { RunNames } from "./names.ts";
import { answerMilliseconds, isApiError, type Requests } from "./requests.ts";

/** Chunks that are under way at once. */
const chunksAtOnce = 8;
const chunkBytes = 2 ** 18;

/** The stream of leases and objects. */
class State {
  readonly requests: Requests;
  readonly names: RunNames;
  readonly #jetstream: JetStreamClient;
  readonly #manager: JetStreamManager;

  constructor(requests: Requests, jetstream: JetStreamClient, manager: JetStreamManager, names: RunNames) {
    this.requests = requests;
    this.names = names;
    this.#jetstream = jetstream;
    this.#manager = manager;
  }

  /** The last message of a subject. */
  get(subject: string): Promise<StoredMsg | undefined> {
    return this.requests.patiently("reading what is kept", () => this.tryGet(subject));
  }

  async tryGet(subject: string): Promise<StoredMsg | undefined> {
    const query = { last_by_subj: subject };
    return (await this.#manager.direct.getMessage(this.names.streams.state, query)) ?? undefined;
  }

  /** Writes a subject. With `after`, only behind the message of this sequence; undefined where another came before. */
  async trySet(subject: string, message: Uint8Array | string, after?: number): Promise<number | undefined> {
    try {
      const expect = after === undefined ? {} : { lastSubjectSequence: after };
      const options = { expect, timeout: answerMilliseconds };
      return (await this.#jetstream.publish(subject, message, options)).seq;
    } catch (error) {
      if (after !== undefined && isApiError(error, "wrongLastSequence")) return undefined;
      throw error;
    }
  }

  /** Removes the messages of subjects, those below a sequence alone where one is given. */
  async purge(filter: string, below?: number): Promise<void> {
    // Nothing is below the first; server 2.9 would remove all.
    if (below !== undefined && below <= 1) return;
    return this.requests.patiently("removing what is kept", async () => {
      const options = below === undefined ? { filter } : { filter, seq: below };
      await this.#manager.streams.purge(this.names.streams.state, options);
    });
  }

  /** The subjects of a pattern that have a message. */
  subjects(pattern: string): Promise<readonly string[]> {
    return this.requests.patiently("listing what is kept", async () => {
      const info = await this.#manager.streams.info(this.names.streams.state, { subjects_filter: pattern });
      return Object.keys(info.state.subjects ?? {});
    });
  }
}

/** Leases and objects of a run. */
export function natsState(
  requests: Requests,
  jetstream: JetStreamClient,
  manager: JetStreamManager,
  names: RunNames,
): { readonly lease: Lease; readonly objects: Objects } {
  const state = new State(requests, jetstream, manager, names);
  return { lease: leases(state), objects: objects(state) };
}

/** What a lease's message says; no owner where it was given back. */
interface Held {
  readonly owner?: string;
  readonly milliseconds?: number;
}

function leases(state: State): Lease {
  /** The server's time: whether a lease is over is judged by the clock that dated it. */
  async function now(): Promise<number> {
    await state.trySet(state.names.clock, "");
    return (await state.tryGet(state.names.clock))?.time.getTime() ?? 0;
  }
  async function take(subject: string, owner: string, milliseconds: number): Promise<boolean> {
    const message = JSON.stringify({ owner, milliseconds } satisfies Held);
    const last = await state.tryGet(subject);
    const held: Held = last ? last.json() : {};
    if (last && held.owner !== undefined && held.owner !== owner) {
      const isOver = last.time.getTime() + (held.milliseconds ?? 0) <= (await now());
      if (!isOver) return false;
    }
    return (await state.trySet(subject, message, last?.seq ?? 0)) !== undefined;
  }
  return {
    async take(name, owner, milliseconds) {
      const subject = state.names.lease(name);
      const end = new AbortController();
      const taken = state.requests.patiently(
        `the lease '${name}'`,
        async () => !end.signal.aborted && (await take(subject, owner, milliseconds)),
      );
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => {
          end.abort();
          resolve(false);
        }, milliseconds);
      });
      try {
        return await Promise.race([taken, late]);
      } finally {
        clearTimeout(timer);
        taken.catch(() => undefined);
      }
    },
    async release(name, owner) {
      const subject = state.names.lease(name);
      await state.requests.patiently(`the lease '${name}'`, async () => {
        const last = await state.tryGet(subject);
        if (last && last.json<Held>().owner === owner)
          await state.trySet(subject, JSON.stringify({} satisfies Held), last.seq);
      });
    },
  };
}

/** What describes an object: its chunks follow each other under its version. */
interface Manifest {
  readonly version: string;
  readonly bytes: number;
  readonly chunks: number;
  /** SHA-256 of all, as hexadecimal digits. */
  readonly sha256: string;
}

function objects(state: State): Objects {
  const { names, requests } = state;
  async function find(name: string): Promise<Uint8Array | undefined> {
    const last = await state.get(names.manifest(name));
    if (!last) return undefined;
    const manifest = last.json<Manifest>();
    const bytes = await chunksOf(state, name, manifest);
    if (bytes && (await sha256(bytes)) === manifest.sha256) return bytes;
    // Written anew meanwhile, or a server has lost a part of it.
    const again = await state.get(names.manifest(name));
    return again && again.seq !== last.seq ? find(name) : undefined;
  }
  return {
    async put(name, bytes) {
      const copy = bytes.slice();
      const before = (await state.get(names.manifest(name)))?.seq ?? 0;
      const version = crypto.randomUUID();
      const chunks = Math.ceil(copy.length / chunkBytes);
      let first = Number.POSITIVE_INFINITY;
      await atOnce(chunksAtOnce, numbersTo(chunks), async (index) => {
        const chunk = copy.subarray(index * chunkBytes, (index + 1) * chunkBytes);
        const sequence = await requests.patiently(`'${name}'`, () =>
          state.trySet(names.chunk(name, version, index), chunk),
        );
        first = Math.min(first, sequence ?? first);
      });
      const manifest: Manifest = { version, bytes: copy.length, chunks, sha256: await sha256(copy) };
      const written = await requests.patiently(`'${name}'`, async () => {
        const there = await state.tryGet(names.manifest(name));
        // An answer that was lost: it is written.
        if (there?.json<Manifest>().version === version) return there.seq;
        return state.trySet(names.manifest(name), JSON.stringify(manifest), before);
      });
      // Where another wrote it meanwhile, it is as if that one had come after.
      if (written === undefined) await state.purge(names.chunk(name, version, "*"));
      else await state.purge(names.chunk(name, "*", "*"), Math.min(first, written));
    },
    get: find,
    async names() {
      const subjects = await state.subjects(names.manifests);
      return subjects.map((subject) => names.objectOf(subject)).sort();
    },
    async remove(name) {
      await state.purge(names.manifest(name));
      await state.purge(names.chunk(name, "*", "*"));
    },
  };
}

async function chunksOf(state: State, name: string, manifest: Manifest): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(manifest.bytes);
  let isWhole = true;
  await atOnce(chunksAtOnce, numbersTo(manifest.chunks), async (index) => {
    const chunk = await state.get(state.names.chunk(name, manifest.version, index));
    if (!chunk || index * chunkBytes + chunk.data.length > bytes.length) isWhole = false;
    else bytes.set(chunk.data, index * chunkBytes);
  });
  return isWhole ? bytes : undefined;
}

/** 0, 1, …, `count` − 1 */
const numbersTo = (count: number) => Array.from({ length: count }, (_, index) => index);
