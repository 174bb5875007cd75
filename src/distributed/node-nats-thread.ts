/** The thread that has a connection to a NATS server: pings, reconnections and acknowledgements go on while the program computes. */
import { parentPort, workerData } from "node:worker_threads";
import { joinOnServer, type NatsOptions } from "./node-nats.ts";
import { serveTransport } from "./serve-transport.ts";

const port = parentPort;
if (port)
  await serveTransport(
    {
      post: (message) => port.postMessage(message),
      onMessage: (heard) => port.on("message", heard),
    },
    () => joinOnServer(workerData as NatsOptions),
  );
