/** The configuration of docs/distributed.md, on a real server: what each user may, and what none may. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectToServer, joinOnServer } from "../src/distributed/node-nats.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { noServer, servers, type TemporaryServer, temporaryServer } from "./nats-server.ts";
import { bytes, reading, text, until } from "./transport-contract.ts";

const page = readFileSync(resolve(import.meta.dirname, "../docs/distributed.md"), "utf8");

/** The users of the page's configuration, with passwords that a test knows. */
const authorization = () =>
  (/```text\n(# Users and their rights[\s\S]*?)```/.exec(page)?.[1] ?? "").replaceAll(
    /password: "[^"]*"/g,
    'password: "secret"',
  );

describe.skipIf(noServer).each(servers)("the configuration of docs/distributed.md (%s)", (program) => {
  let server: TemporaryServer;
  const open: Transport[] = [];
  const options = (user: string) => {
    const credentials = join(server.folder, `${user}.txt`);
    writeFileSync(credentials, `user: ${user}\npassword: secret\n`, { mode: 0o600 });
    return { url: server.url, credentials };
  };
  const enter = async (user: string, create = false) => {
    const transport = await joinOnServer({ ...options(user), run: "mnist", create });
    open.push(transport);
    return transport;
  };
  beforeAll(async () => {
    expect(authorization()).toContain("permissions");
    server = await temporaryServer({ program, configuration: authorization() });
  });
  afterAll(async () => {
    await Promise.all(open.map((transport) => transport.close()));
    await server.stop();
  });

  it("lets nobody in without a password", async () => {
    await expect(joinOnServer({ url: server.url, run: "mnist" })).rejects.toMatchObject({
      reason: "refused",
    });
  });

  it("lets a worker read, take tasks, and speak for itself", async () => {
    const coordinator = await enter("coordinator", true);
    const [ada, ben] = [await enter("ada"), await enter("ben")];
    expect(await coordinator.log.append(bytes("record"), 0, "1")).toBe(1);
    await coordinator.log.forget(1);
    const reader = reading(ada);
    await until(() => reader.entries.length === 1, "the record");
    await reader.stop();
    await coordinator.objects.put("model", bytes("model"));
    expect(text((await ada.objects.get("model")) as Uint8Array)).toBe("model");
    await coordinator.queue.offer("unit", bytes("unit"));
    const task = await ada.queue.take(5000);
    await task?.done();
    expect(await coordinator.queue.counts()).toEqual({ waiting: 0, taken: 0 });
    const heard: string[] = [];
    coordinator.subscribe("worker", "answer", (message, { sender }) =>
      heard.push(`${sender} ${text(message)}`),
    );
    ben.subscribe("coordinator", "question", (message, { sender }) =>
      heard.push(`${sender} ${text(message)}`),
    );
    await coordinator.log.last();
    await ben.log.last();
    ada.publish("worker", "answer", bytes("5"));
    coordinator.publish("coordinator", "question", bytes("?"));
    await until(() => heard.length === 2, "an answer and a question");
    expect(heard.sort()).toEqual([`${ada.participant} 5`, `${coordinator.participant} ?`]);
  });

  it("lets no worker write what all go by", async () => {
    const ada = await enter("ada");
    const refused = { name: "TransportError", reason: "refused" };
    await expect(ada.log.append(bytes("forged"), 1, "2")).rejects.toMatchObject(refused);
    await expect(ada.log.forget(2)).rejects.toMatchObject(refused);
    await expect(ada.objects.put("model", bytes("forged"))).rejects.toMatchObject(refused);
    await expect(ada.objects.remove("model")).rejects.toMatchObject(refused);
    await expect(ada.lease.take("lead", "ada", 1000)).rejects.toMatchObject(refused);
    await expect(ada.queue.offer("forged", bytes("forged"))).rejects.toMatchObject(refused);
    await expect(ada.queue.clear()).rejects.toMatchObject(refused);
    expect(await ada.log.last()).toBe(1);
    expect(text((await ada.objects.get("model")) as Uint8Array)).toBe("model");
    await expect(joinOnServer({ ...options("ada"), run: "other", create: true })).rejects.toMatchObject(
      refused,
    );
  });

  it("lets no worker speak as a coordinator, as another worker, or as the server, nor hear what others ask it", async () => {
    const [coordinator, ben] = [await enter("coordinator"), await enter("ben")];
    const { connection } = await connectToServer(options("ada"));
    const heard: string[] = [];
    for (const participant of [coordinator, ben]) {
      participant.subscribe("worker", "answer", (_, { sender }) => heard.push(sender));
      participant.subscribe("coordinator", "answer", (_, { sender }) => heard.push(sender));
    }
    const reader = reading(ben, 2);
    await Promise.all([coordinator.log.last(), ben.log.last()]);
    const errors: string[] = [];
    void (async () => {
      for await (const status of connection.status())
        if (status.type === "error") errors.push(`${status.error.message}`);
    })();
    const inbox = "_INBOX_ben.forged";
    for (const subject of [
      `forwardgrad.mnist.worker.${ben.participant}.answer`,
      `forwardgrad.mnist.coordinator.${coordinator.participant}.answer`,
      "forwardgrad.mnist.coordinator.ada.1.answer",
      "forwardgrad.mnist.records",
      inbox,
    ])
      connection.publish(subject, "forged");
    connection.subscribe("_INBOX_ben.>", { callback: () => undefined });
    await connection.flush();
    await until(() => errors.length === 6, "six refusals");
    // A consumer could have what is stored delivered under any subject.
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 500 });
    const consumer = { deliver_subject: `forwardgrad.mnist.worker.${ben.participant}.answer` };
    await expect(manager.consumers.add("forwardgrad_mnist_log", consumer)).rejects.toThrow();
    await expect(manager.streams.delete("forwardgrad_mnist_log")).rejects.toThrow();
    await ben.log.last();
    expect(heard).toEqual([]);
    expect(reader.entries).toEqual([]);
    await reader.stop();
    await connection.close();
  });
});
