/** A transport whose connection another thread has: by the messages between them, and in a real thread on a real server. */
import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { memoryNetwork } from "../src/distributed/memory-transport.ts";
import { serveTransport } from "../src/distributed/serve-transport.ts";
import type { FromThread, ToThread } from "../src/distributed/thread-messages.ts";
import { threadTransport } from "../src/distributed/thread-transport.ts";
import { natsCarrier } from "./nats-carrier.ts";
import { noServer, temporaryServer } from "./nats-server.ts";
import { transportContract } from "./transport-contract.ts";

transportContract("by messages", async () => {
  const network = memoryNetwork();
  return {
    join(user) {
      const { port1, port2 } = new MessageChannel();
      void serveTransport(
        { post: (message) => port1.postMessage(message), onMessage: (heard) => port1.on("message", heard) },
        async () => network.join(user),
      );
      return threadTransport({
        post: (message: ToThread) => port2.postMessage(message),
        onMessage: (heard) => port2.on("message", (message: FromThread) => heard(message)),
        onEnd: () => undefined,
        end: async () => port2.close(),
      });
    },
    line: {
      cut: async ({ participant }) => network.cut(participant),
      heal: async ({ participant }) => network.heal(participant),
    },
    loseTail: async (records) => network.loseTail(records),
    end: async () => undefined,
  };
});

const { joinByThread } = (await import(
  new URL("../dist/distributed/node-nats-transport.js", import.meta.url).href
)) as typeof import("../src/distributed/node-nats-transport.ts");

transportContract("over NATS, in a thread", () => natsCarrier({}, joinByThread), noServer);

describe("a thread that has the connection", () => {
  it("says why it could not join, as an error of its class", async () => {
    const failed = joinByThread({ url: "nats://127.0.0.1:1", run: "nowhere" });
    await expect(failed).rejects.toMatchObject({ name: "TransportError", reason: "unavailable" });
    await expect(joinByThread({ url: "nats://me:secret@127.0.0.1", run: "x" })).rejects.toMatchObject({
      name: "SettingError",
      option: "distribute",
    });
  });

  it.skipIf(noServer)(
    "says that it works on a task while the program computes",
    async () => {
      const server = await temporaryServer();
      const run = { url: server.url, run: "busy", create: true, taskMilliseconds: 1500 };
      const [busy, other] = [await joinByThread(run), await joinByThread(run)];
      await busy.queue.offer("long", new Uint8Array(1));
      const task = await busy.queue.take(5000);
      expect(task?.attempt).toBe(1);
      const waiting = other.queue.take(4500);
      // Longer than the server waits for a taker that says nothing.
      const end = Date.now() + 4000;
      while (Date.now() < end);
      await task?.done();
      expect(await waiting).toBeUndefined();
      await Promise.all([busy.close(), other.close()]);
      await server.stop();
    },
    30_000,
  );
});
