/** What happens to a server and to the lines to it, on a real one: nothing is lost, nothing is there twice, and all of it goes on. */
import { rm } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { joinOnServer } from "../src/distributed/node-nats.ts";
import { startServer } from "../src/distributed/node-server.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { noServer, temporaryServer } from "./nats-server.ts";
import { tcpProxy } from "./tcp-proxy.ts";
import { bytes, reading, text, until } from "./transport-contract.ts";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Appends `count` records of its own behind whatever is there. */
async function appendAll(transport: Transport, name: string, count: number): Promise<void> {
  let after = await transport.log.last();
  for (let index = 0; index < count; ) {
    const sequence = await transport.log.append(bytes(`${name} ${index}`), after, `${name}-${index}`);
    if (sequence === "taken") after = await transport.log.last();
    else {
      after = sequence;
      index++;
      await pause(5);
    }
  }
}

describe.skipIf(noServer)("a server that", () => {
  it("is killed five times while two append: each record is there once, in one order for all", async () => {
    const restarts: string[] = [];
    const server = await temporaryServer({ onRestart: (message) => restarts.push(message) });
    const join = () => joinOnServer({ url: server.url, run: "killed", create: true });
    const [ada, ben, reader] = [await join(), await join(), await join()];
    const read = reading(reader);
    const appended = Promise.all([appendAll(ada, "ada", 150), appendAll(ben, "ben", 150)]);
    for (let kill = 1; kill <= 5; kill++) {
      await pause(150);
      process.kill(await server.pid(), "SIGKILL");
      await until(() => restarts.length === kill, "it is started again");
    }
    await appended;
    await until(() => read.entries.at(-1)?.sequence === 300, "all records", 20_000);
    const late = reading(await join());
    await until(() => late.entries.length === 300, "all records, for who comes late");
    const records = late.entries.map(({ record }) => text(record));
    expect(new Set(records).size).toBe(300);
    for (const name of ["ada", "ben"])
      expect(records.filter((record) => record.startsWith(name))).toEqual(
        Array.from({ length: 150 }, (_, index) => `${name} ${index}`),
      );
    expect(read.texts()).toEqual(late.texts());
    await read.stop();
    await late.stop();
    await Promise.all([ada.close(), ben.close(), reader.close()]);
    await server.stop();
  }, 60_000);

  it("is stopped for a while, or cannot be reached: what was asked for is answered when it is back", async () => {
    const server = await temporaryServer();
    const proxy = await tcpProxy(Number(new URL(server.url).port));
    const coordinator = await joinOnServer({
      url: `nats://127.0.0.1:${proxy.port}`,
      run: "parted",
      create: true,
    });
    const worker = await joinOnServer({ url: server.url, run: "parted" });
    const read = reading(worker);
    const states: string[] = [];
    coordinator.onState((state) => states.push(state));
    const pid = await server.pid();
    process.kill(pid, "SIGSTOP");
    const held = coordinator.log.append(bytes("held"), 0, "held");
    const lease = coordinator.lease.take("lead", "coordinator", 500);
    expect(await lease).toBe(false);
    await pause(1000);
    process.kill(pid, "SIGCONT");
    expect(await held).toBe(1);
    proxy.part();
    const late = coordinator.log.append(bytes("late"), 1, "late");
    await until(() => states.at(-1) === "disconnected", "pings without an answer", 15_000);
    expect(await worker.log.append(bytes("meanwhile"), 1, "meanwhile")).toBe(2);
    proxy.heal();
    expect(await late).toBe("taken");
    expect(await coordinator.log.append(bytes("late"), 2, "later")).toBe(3);
    await until(() => read.entries.length === 3, "three records");
    expect(read.texts()).toEqual(["1 held", "2 meanwhile", "3 late"]);
    await read.stop();
    await Promise.all([coordinator.close(), worker.close()]);
    await proxy.close();
    await server.stop();
  }, 60_000);

  it("is full: what has no room is refused by name, what is there stays, and room that is made is used", async () => {
    const server = await temporaryServer({ storage: "max_file_store: 2MB" });
    const transport = await joinOnServer({ url: server.url, run: "full", create: true });
    await transport.objects.put("first", new Uint8Array(1_000_000));
    const refused = transport.objects.put("second", new Uint8Array(2_000_000));
    await expect(refused).rejects.toMatchObject({ name: "TransportError", reason: "full" });
    expect((await transport.objects.get("first"))?.length).toBe(1_000_000);
    expect(await transport.objects.get("second")).toBeUndefined();
    await transport.objects.remove("second");
    await transport.objects.remove("first");
    // Server 2.9 takes nothing more until it is started again.
    if (server.version.startsWith("2.9.")) await server.restart();
    await transport.objects.put("third", new Uint8Array(1_000_000));
    expect((await transport.objects.get("third"))?.length).toBe(1_000_000);
    await transport.close();
    await server.stop();
  }, 60_000);

  it("is started anew with an empty folder is given again what a coordinator makes", async () => {
    const server = await temporaryServer();
    const transport = await joinOnServer({ url: server.url, run: "emptied", create: true });
    expect(await transport.log.append(bytes("lost"), 0, "lost")).toBe(1);
    await server.restart(async () => {
      await rm(`${server.folder}/nats`, { recursive: true });
    });
    expect(await transport.log.last()).toBe(0);
    expect(await transport.log.append(bytes("new"), 0, "new")).toBe(1);
    await transport.objects.put("model", bytes("model"));
    await transport.close();
    await server.stop();
  }, 60_000);

  it("cannot be started says why", async () => {
    const wrong = temporaryServer({ configuration: "what is this" });
    await expect(wrong).rejects.toMatchObject({ name: "TransportError", reason: "unavailable" });
    const missing = startServer({ folder: "/tmp/never", program: "/nowhere/nats-server" });
    await expect(missing).rejects.toThrow("'/nowhere/nats-server' does not start");
  });
});
