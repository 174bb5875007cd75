/** Tasks as a stream from which each message is taken once, until it is acknowledged; while one is worked on, the server is told so. */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/nats-core";
import type { Queue, Task } from "../transport.ts";
import { tooLarge } from "../transport-error.ts";
import type { RunNames } from "./names.ts";
import { answerMilliseconds, isApiError, type Requests } from "./requests.ts";

/** The one consumer that all takers share. */
export const consumerName = "workers";

/** What is said of a task, under the subject that it came with. */
const words = { done: "+ACK", another: "-NAK", working: "+WPI" } as const;

/** Milliseconds after which a taker says again that it works. */
const workingMilliseconds = 1000;

/** The tasks of a run, and how their takers leave. */
export function natsQueue(
  requests: Requests,
  jetstream: JetStreamClient,
  manager: JetStreamManager,
  names: RunNames,
  largest: number,
): { readonly queue: Queue; readonly leave: () => Promise<void> } {
  const { connection } = requests;
  const stream = names.streams.tasks;
  const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumerName}`;
  /** Who is told on the way out: subjects of the tasks that are taken. */
  const taken = new Map<string, () => void>();

  function toTask(message: Msg): Task {
    const reply = message.reply ?? "";
    const working = setInterval(() => {
      if (requests.isConnected) connection.publish(reply, words.working);
    }, workingMilliseconds);
    const leave = () => {
      clearInterval(working);
      taken.delete(reply);
    };
    taken.set(reply, leave);
    const say = (word: string) =>
      requests.patiently("a task's acknowledgement", async () => {
        await connection.request(reply, word, { timeout: answerMilliseconds });
      });
    return {
      id: names.taskOf(message.subject),
      message: message.data,
      // $JS.ACK.<stream>.<consumer>.<times delivered>. …
      attempt: Number(reply.split(".").at(-5)),
      async done() {
        await say(words.done);
        leave();
      },
      async giveBack() {
        leave();
        await say(words.another);
      },
    };
  }

  /** Asks once. */
  async function ask(milliseconds: number): Promise<Task | undefined> {
    const wanted = JSON.stringify({ batch: 1, expires: milliseconds * 1e6 });
    // A task comes under its own subject, by which an inbox that all requests share would not know it.
    const message = await connection.request(next, wanted, {
      timeout: milliseconds + answerMilliseconds,
      noMux: true,
    });
    return (message.headers?.code ?? 0) >= 400 ? undefined : toTask(message);
  }

  const queue: Queue = {
    async offer(id, message) {
      if (message.length > largest) throw tooLarge(message.length, largest);
      await requests.patiently(`task '${id}'`, async () => {
        try {
          await jetstream.publish(names.task(id), message, { msgID: id, timeout: answerMilliseconds });
        } catch (error) {
          // It waits, or somebody has it.
          if (!(isApiError(error, "full") && /per subject/.test(`${error}`))) throw error;
        }
      });
    },
    async take(milliseconds) {
      const end = Date.now() + milliseconds;
      for (;;) {
        const left = Math.min(end - Date.now(), 5000);
        if (left <= 0) return undefined;
        if (requests.isConnected || requests.isClosed) {
          const task = await requests.patiently("taking a task", async () =>
            Date.now() < end ? ask(left) : undefined,
          );
          if (task) return task;
        } else await requests.waiters.change(left);
      }
    },
    counts: () =>
      requests.patiently("counting tasks", async () => {
        const info = await manager.consumers.info(stream, consumerName);
        return { waiting: info.num_pending, taken: info.num_ack_pending };
      }),
    clear: () =>
      requests.patiently("removing tasks", async () => {
        await manager.streams.purge(stream);
      }),
  };
  return {
    queue,
    async leave() {
      for (const [reply, leave] of taken) {
        leave();
        if (requests.isConnected) connection.publish(reply, words.another);
      }
      if (requests.isConnected) await connection.flush().catch(() => undefined);
    },
  };
}
