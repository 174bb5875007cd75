/** A run on a NATS server, from Node: the connection has a thread of its own. */
import { Worker } from "node:worker_threads";
import type { NatsOptions } from "./node-nats.ts";
import type { FromThread } from "./thread-messages.ts";
import { threadTransport } from "./thread-transport.ts";
import type { Transport } from "./transport.ts";

/**
 * Joins a run on a NATS server, by a connection of another thread: a step of training may block this one for a second or more.
 *
 * @throws SettingError when the address or the run's name is none, or holds a password
 * @throws StorageError when a file of credentials cannot be read
 * @throws TransportError when nobody answers there, or refuses
 */
export function joinByThread(options: NatsOptions): Promise<Transport> {
  // Flags of this process may be about its own program alone, as that it is typed and a module.
  const worker = new Worker(new URL("./node-nats-thread.js", import.meta.url), {
    workerData: options,
    execArgv: [],
  });
  return threadTransport({
    post: (message) => worker.postMessage(message),
    onMessage: (heard) => worker.on("message", (message: FromThread) => heard(message)),
    onEnd(heard) {
      worker.once("error", (error: Error) => heard(error.message));
      worker.once("exit", (code) => heard(`with code ${code}`));
    },
    async end() {
      await worker.terminate();
    },
  });
}
