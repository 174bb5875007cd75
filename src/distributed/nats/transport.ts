/** A transport over a connection to a NATS server, in whatever program the connection was made. */
import type { JetStreamClient, JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { ForwardgradError } from "../../errors/errors.ts";
import { checkSubject } from "../subjects.ts";
import type { Transport } from "../transport.ts";
import { TransportError, tooLarge } from "../transport-error.ts";
import { natsLog } from "./log.ts";
import { type RunNames, runNames } from "./names.ts";
import { consumerName, natsQueue } from "./queue.ts";
import { answerMilliseconds, isApiError, isPassing, isPermission, Requests } from "./requests.ts";
import { natsState } from "./state.ts";

/** How a participant joins a run on a server. */
export interface JoinOptions {
  /** The run: a word of letters, digits, `_` and `-`. */
  readonly run: string;
  /** Makes what the run keeps on the server, where it is not there: a coordinator does. Default false. */
  readonly create?: boolean;
  /** Milliseconds after which a task goes to another whose taker says nothing; for who creates it. Default 10000. */
  readonly taskMilliseconds?: number;
}

/** How often a server is asked for a run that is joined, with so many milliseconds between. */
const joinAttempts = 4;
const joinPause = 250;

/**
 * Joins a run.
 *
 * @param connection of this participant alone; it is closed with the transport
 * @param user as what the server knows this participant; one word
 * @throws SettingError when the run's name is none
 * @throws TransportError when there is no such run, when the server keeps nothing, or when it refuses
 */
export async function natsTransport(
  connection: NatsConnection,
  user: string,
  { run, create = false, taskMilliseconds = 10_000 }: JoinOptions,
): Promise<Transport> {
  const names = runNames(run);
  const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
  const options = { timeout: answerMilliseconds };
  const manager = await jetstreamManager(connection, { ...options, checkAPI: false });
  const restore = async () => {
    if (create) await createStreams(manager, names, taskMilliseconds);
  };
  for (let attempt = 1; ; attempt++)
    try {
      await (create ? restore() : manager.streams.info(names.streams.log));
      break;
    } catch (error) {
      // A server that stands still or was started again just now has an answer soon.
      if (attempt === joinAttempts || !isPassing(error))
        throw await explained(error, run, connection.getServer());
      await new Promise((resolve) => setTimeout(resolve, joinPause));
    }
  const describe = `Run ${run} on ${connection.getServer()}`;
  const transport = joined(connection, user, names, jetstream(connection, options), manager, restore);
  return { ...transport, describe };
}

function joined(
  connection: NatsConnection,
  user: string,
  names: RunNames,
  jetstream: JetStreamClient,
  manager: JetStreamManager,
  restore: () => Promise<void>,
): Omit<Transport, "describe"> {
  const requests = new Requests(connection, restore);
  const word = crypto.randomUUID().slice(0, 8);
  const participant = `${user}.${word}`;
  // Headers need some of it.
  const largestMessage = Math.max(0, (connection.info?.max_payload ?? 2 ** 20) - 1024);
  const { queue, leave } = natsQueue(requests, jetstream, manager, names, largestMessage);
  return {
    participant,
    largestMessage,
    publish(role, subject, message) {
      checkSubject(subject);
      if (message.length > largestMessage) throw tooLarge(message.length, largestMessage);
      // What was said when nobody could hear it is out of date when somebody can.
      if (requests.isConnected) connection.publish(names.message(role, participant, subject), message);
    },
    subscribe(role, pattern, heard) {
      checkSubject(pattern, true);
      const subscription = connection.subscribe(names.message(role, "*.*", pattern), {
        callback(error, { subject, data }) {
          if (!error) heard(data, names.originOf(subject));
        },
      });
      return () => subscription.unsubscribe();
    },
    log: natsLog(requests, jetstream, manager, names, largestMessage),
    ...natsState(requests, jetstream, manager, names),
    queue,
    onState: (heard) => requests.onState(heard),
    async traffic() {
      const { inBytes, inMsgs, outBytes, outMsgs } = connection.stats();
      return { sent: outMsgs, sentBytes: outBytes, received: inMsgs, receivedBytes: inBytes };
    },
    async close() {
      await leave();
      await requests.close();
    },
  };
}

const nanoseconds = (milliseconds: number) => milliseconds * 1e6;

async function createStreams(
  manager: JetStreamManager,
  names: RunNames,
  taskMilliseconds: number,
): Promise<void> {
  const { streams } = names;
  // What cannot be kept is refused; nothing old is dropped for it.
  const kept = { storage: "file", discard: "new", allow_direct: true } as const;
  const configs: readonly (Partial<StreamConfig> & { readonly name: string })[] = [
    {
      ...kept,
      name: streams.log,
      subjects: [names.log],
      republish: { src: names.log, dest: names.records },
      duplicate_window: nanoseconds(120_000),
    },
    { ...kept, name: streams.state, subjects: [names.everyState], max_msgs_per_subject: 1, discard: "old" },
    {
      ...kept,
      name: streams.tasks,
      subjects: [names.everyTask],
      retention: "workqueue",
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
      duplicate_window: nanoseconds(120_000),
    },
  ];
  for (const config of configs) {
    try {
      await manager.streams.info(config.name);
    } catch (error) {
      if (!isApiError(error, "streamNotFound")) throw error;
      await manager.streams.add(config);
    }
  }
  await manager.consumers.add(streams.tasks, {
    durable_name: consumerName,
    ack_policy: "explicit",
    ack_wait: nanoseconds(taskMilliseconds),
    max_ack_pending: 100_000,
  });
}

/** Why a run could not be joined. */
async function explained(cause: unknown, run: string, server: string): Promise<unknown> {
  if (cause instanceof ForwardgradError) return cause;
  if (isApiError(cause, "streamNotFound"))
    return new TransportError(
      `There is no run '${run}' on ${server}. Start it there first, or name one that is there.`,
      { reason: "unavailable", cause },
    );
  if (isPermission(cause))
    return new TransportError(
      `${server} refuses run '${run}' to these credentials: ${(cause as Error).message}. Use others, or give them the right.`,
      { reason: "refused", cause },
    );
  if ((cause as Error).name === "TimeoutError")
    return new TransportError(`${server} is there, and does not answer. Look at it, and at its log.`, {
      reason: "unavailable",
      cause,
    });
  return new TransportError(
    `${server} keeps nothing: ${(cause as Error).message}. Start it with JetStream (nats-server -js -sd FOLDER).`,
    { reason: "unavailable", cause },
  );
}
