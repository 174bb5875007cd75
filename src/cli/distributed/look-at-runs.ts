/** What runs on a server, and who works, as an onlooker hears it in a few seconds. */
import type { NatsConnection } from "@nats-io/nats-core";
import { runNames } from "../../distributed/nats/names.ts";
import { consumerName } from "../../distributed/nats/queue.ts";
import { answerMilliseconds } from "../../distributed/nats/requests.ts";
import { runsOn } from "../../distributed/nats/runs.ts";
import { decodeRecord, type EndRecord } from "../../distributed/run/records.ts";
import { decodeStatus, type Status, statusSubject } from "../../distributed/status.ts";

/** A run, as it was seen. */
export interface RunSeen {
  readonly run: string;
  /** Records in its log: steps of a training, and a few more. */
  readonly records: number;
  /** Records that came each second while it was looked at. */
  readonly recordsPerSecond: number;
  /** Tasks that wait, and that somebody has; null where these credentials may not know. */
  readonly tasks: { readonly waiting: number; readonly taken: number } | null;
  /** Workers that were heard, and that the coordinator knows of. */
  readonly workers: readonly WorkerSeen[];
  /** What its coordinator says; null where nobody coordinates it now. */
  readonly status: Omit<Status, "workers"> | null;
  /** How a training ended, by its newest record; null where it goes on, or its coordinator is gone without a word. */
  readonly ended: Pick<EndRecord, "how" | "why"> | null;
}

/** A worker, as it was seen. */
export interface WorkerSeen {
  readonly participant: string;
  /** What it did, by its coordinator's count; null where that says nothing of it. */
  readonly done: number | null;
  /** Seconds for each; null where it is not known. */
  readonly secondsEach: number | null;
  /** What it is at, where that is known. */
  readonly at?: string;
}

/** Looks at all runs of a server for some time. */
export async function lookAtRuns(
  connection: NatsConnection,
  milliseconds: number,
): Promise<readonly RunSeen[]> {
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const manager = await jetstreamManager(connection, { timeout: answerMilliseconds, checkAPI: false });
  const statuses = new Map<string, Status>();
  const heard = new Map<string, Set<string>>();
  const listen = (subject: string, hear: (run: string, participant: string, data: Uint8Array) => void) =>
    connection.subscribe(subject, {
      callback(error, message) {
        const [, run, , user, word] = message?.subject?.split(".") ?? [];
        // Where these credentials may not hear it, less is known.
        if (!error && run !== undefined) hear(run, `${user}.${word}`, message.data);
      },
    });
  const listening = [
    listen(`forwardgrad.*.coordinator.*.*.${statusSubject}`, (run, _, data) => {
      const status = decodeStatus(data);
      if (status) statuses.set(run, status);
    }),
    listen("forwardgrad.*.worker.>", (run, participant) => {
      heard.set(run, (heard.get(run) ?? new Set()).add(participant));
    }),
  ];
  const runs = await runsOn(connection);
  const log = (run: string) => runNames(run).streams.log;
  const recordsOf = async (run: string) => (await manager.streams.info(log(run))).state.last_seq;
  const began = performance.now();
  const before = await Promise.all(runs.map(recordsOf));
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const seen = runs.map(async (run, index): Promise<RunSeen> => {
    const records = await recordsOf(run);
    const seconds = (performance.now() - began) / 1000;
    const tasks = await manager.consumers.info(runNames(run).streams.tasks, consumerName).then(
      ({ num_pending, num_ack_pending }) => ({ waiting: num_pending, taken: num_ack_pending }),
      () => null,
    );
    const newest =
      records > 0 ? await manager.direct.getMessage(log(run), { seq: records }).catch(() => null) : null;
    const { workers: known = [], ...status } = statuses.get(run) ?? {};
    return {
      run,
      records,
      recordsPerSecond: Math.max(0, records - (before[index] ?? records)) / seconds,
      tasks,
      workers: workersOf(known, heard.get(run) ?? new Set()),
      status: "kind" in status ? status : null,
      ended: newest && endIn(newest.data),
    };
  });
  const all = await Promise.all(seen);
  for (const subscription of listening) subscription.unsubscribe();
  return all;
}

/** Null for a record of another kind, or of another version of the program. */
function endIn(bytes: Uint8Array): RunSeen["ended"] {
  try {
    const record = decodeRecord(bytes);
    return record.kind === "end" ? { how: record.how, why: record.why } : null;
  } catch {
    return null;
  }
}

/** So many seconds after its last word, nobody counts on a worker any more. */
const silence = 30;

function workersOf(known: Status["workers"], heard: ReadonlySet<string>): readonly WorkerSeen[] {
  const named = known
    .filter(({ participant, silent, at }) => heard.has(participant) || at !== undefined || silent < silence)
    .map(({ participant, done, secondsEach, at }) => ({
      ...{ participant, done, secondsEach },
      ...(at !== undefined && { at }),
    }));
  const others = [...heard]
    .filter((participant) => !known.some((each) => each.participant === participant))
    .map((participant) => ({ participant, done: null, secondsEach: null }));
  return [...named, ...others];
}
