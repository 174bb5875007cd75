/** What every transport must pass, whatever carries it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogEntry, Transport } from "../src/distributed/transport.ts";

/** What carries the participants of one test, new for each. */
export interface Carrier {
  join(user: string): Promise<Transport>;
  /** Takes the line from a participant, and gives it back. */
  readonly line?: { cut(participant: Transport): Promise<void>; heal(participant: Transport): Promise<void> };
  /** The log loses its last records. */
  loseTail?(records: number): Promise<void>;
  end(): Promise<void>;
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (message: Uint8Array) => new TextDecoder().decode(message);

/** An error of a class, by name: what is built has classes of its own. */
const named = (name: string): Error => expect.objectContaining({ name }) as Error;

/** Waits for something that others bring about. */
export async function until(holds: () => boolean, what: string, milliseconds = 10_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Reads a log on the side. */
export function reading(transport: Transport, from = 1) {
  const entries: LogEntry[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const entry of transport.log.read(from, stop.signal)) entries.push(entry);
  })();
  return {
    entries,
    texts: () => entries.map(({ sequence, record }) => `${sequence} ${text(record)}`),
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

/**
 * The suite of one transport.
 *
 * @param reason why it cannot run here
 */
export function transportContract(name: string, open: () => Promise<Carrier>, reason?: string): void {
  describe.skipIf(reason)(`the transport ${name}`, () => {
    let carrier: Carrier | undefined;
    let [ada, ben]: Transport[] = [];
    const two = () => {
      if (!ada || !ben) throw new Error("opened before all tests");
      return [ada, ben] as const;
    };
    beforeAll(async () => {
      carrier = await open();
      [ada, ben] = [await carrier.join("ada"), await carrier.join("ben")];
    }, 30_000);
    afterAll(async () => {
      await Promise.all([ada?.close(), ben?.close()]);
      await carrier?.end();
    });

    it("names its participants, each by a name of its own", async () => {
      const [ada, ben] = two();
      expect([ada.participant, ben.participant].map((each) => each.split(".")[0])).toEqual(["ada", "ben"]);
      const again = await (carrier as Carrier).join("ada");
      expect(again.participant).not.toBe(ada.participant);
      await again.close();
    });

    it("carries messages by role and subject, and says who sent them", async () => {
      const [ada, ben] = two();
      const heard: string[] = [];
      const hear = (by: string) => (message: Uint8Array, origin: { sender: string; subject: string }) =>
        heard.push(`${by}: ${origin.sender} ${origin.subject} ${text(message)}`);
      const ends = [
        ben.subscribe("worker", "answer.*.7", hear("ben")),
        ben.subscribe("coordinator", "answer.*.7", hear("coordinators")),
        ada.subscribe("worker", "answer.3.7", hear("ada")),
      ];
      const sentence = `ben: ${ada.participant} answer.3.7 five`;
      // Nobody promises that the first message finds its listeners.
      for (const end = Date.now() + 5000; !heard.includes(sentence) && Date.now() < end; ) {
        for (const subject of ["answer.3.8", "answer.3", "answer.3.7.1", "answer.3.7"])
          ada.publish("worker", subject, bytes("five"));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await until(() => heard.includes(`ada: ${ada.participant} answer.3.7 five`), "one hears oneself");
      expect(new Set(heard)).toEqual(new Set([sentence, `ada: ${ada.participant} answer.3.7 five`]));
      for (const end of ends) end();
      const count = heard.length;
      ada.publish("worker", "answer.3.7", bytes("six"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(heard.slice(count).filter((line) => line.includes("six"))).toEqual([]);
    });

    it("refuses what is no subject, and messages that are too large", async () => {
      const [ada] = two();
      for (const subject of ["", "a b", "a..b", ">", "*", "a.*"])
        expect(() => ada.publish("worker", subject, bytes("")), subject).toThrow(named("SettingError"));
      expect(() => ada.subscribe("worker", "a.>", () => undefined)).toThrow(named("SettingError"));
      const large = new Uint8Array(ada.largestMessage + 1);
      expect(() => ada.publish("worker", "a", large)).toThrow(named("TransportError"));
      await expect(ada.log.append(large, await ada.log.last(), "large")).rejects.toThrow("Send it in parts");
    });

    it("keeps records in one order, and appends behind the last one alone", async () => {
      const [ada, ben] = two();
      const start = await ada.log.last();
      const reader = reading(ben, start + 1);
      expect(await ada.log.append(bytes("one"), start, "order-1")).toBe(start + 1);
      // The same once more, as after an answer that was lost.
      expect(await ada.log.append(bytes("one"), start, "order-1")).toBe(start + 1);
      expect(await ben.log.append(bytes("other"), start, "order-2")).toBe("taken");
      expect(await ben.log.append(bytes("two"), start + 1, "order-3")).toBe(start + 2);
      expect(await ada.log.last()).toBe(start + 2);
      await until(() => reader.entries.length === 2, "two records");
      expect(reader.texts()).toEqual([`${start + 1} one`, `${start + 2} two`]);
      await reader.stop();
      const late = reading(ben, start + 2);
      await until(() => late.entries.length === 1, "the second record");
      expect(late.texts()).toEqual([`${start + 2} two`]);
      await late.stop();
    });

    it("lets one of several append that do so at once", async () => {
      const [ada, ben] = two();
      const start = await ada.log.last();
      for (let round = 0; round < 10; round++) {
        const results = await Promise.all(
          [ada, ben, ada, ben].map((each, index) =>
            each.log.append(bytes(`${index}`), start + round, `race-${round}-${index}`),
          ),
        );
        expect(results.filter((result) => result === start + round + 1)).toHaveLength(1);
        expect(results.filter((result) => result === "taken")).toHaveLength(3);
      }
    });

    it("brings a late reader all records in order, and those that come meanwhile", async () => {
      const [ada, ben] = two();
      const start = await ada.log.last();
      for (let index = 0; index < 300; index++)
        await ada.log.append(bytes(`${index}`), start + index, `late-${index}`);
      const reader = reading(ben, start + 1);
      for (let index = 300; index < 350; index++)
        await ada.log.append(bytes(`${index}`), start + index, `late-${index}`);
      await until(() => reader.entries.length >= 350, "350 records");
      expect(reader.texts()).toEqual(
        Array.from({ length: 350 }, (_, index) => `${start + index + 1} ${index}`),
      );
      await reader.stop();
    });

    it("brings a reader of a long log what is there, without waiting for more to come", async () => {
      const [one, other] = two();
      const first = await one.log.last();
      for (let index = 0; index < 640; index++)
        await one.log.append(bytes(`${index}`), first + index, `long ${index}`);
      const late = reading(other, first + 1);
      await until(() => late.entries.length === 640, "all records of a long log");
      await late.stop();
      expect(late.texts().at(-1)).toBe(`${first + 640} 639`);
    });

    it("forgets old records, and reads from the first that is there", async () => {
      const [ada, ben] = two();
      const last = await ada.log.last();
      await ada.log.append(bytes("kept"), last, "forget-1");
      await ada.log.forget(last + 1);
      expect(await ada.log.last()).toBe(last + 1);
      const reader = reading(ben);
      await until(() => reader.entries.length === 1, "the record that is left");
      expect(reader.texts()).toEqual([`${last + 1} kept`]);
      await reader.stop();
    });

    it("gives a lease to one owner at a time, until it is given back or over", async () => {
      const [ada, ben] = two();
      expect(await ada.lease.take("lead", "a", 60_000)).toBe(true);
      expect(await ben.lease.take("lead", "b", 60_000)).toBe(false);
      expect(await ada.lease.take("lead", "a", 60_000)).toBe(true);
      expect(await ben.lease.take("other", "b", 60_000)).toBe(true);
      await ben.lease.release("lead", "b");
      expect(await ben.lease.take("lead", "b", 60_000)).toBe(false);
      await ada.lease.release("lead", "a");
      expect(await ben.lease.take("lead", "b", 100)).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 150));
      const both = await Promise.all([
        ada.lease.take("lead", "a", 60_000),
        ben.lease.take("lead", "b", 60_000),
      ]);
      expect(both.filter(Boolean)).toHaveLength(1);
    });

    it("keeps objects of any name and size, whole", async () => {
      const [ada, ben] = two();
      const large = Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 31) >>> 3);
      await ada.objects.put("snapshot/3 ü*>.", large);
      await ada.objects.put("empty", new Uint8Array());
      expect(Buffer.compare((await ben.objects.get("snapshot/3 ü*>.")) as Uint8Array, large)).toBe(0);
      expect(await ben.objects.get("empty")).toEqual(new Uint8Array());
      expect(await ben.objects.get("none")).toBeUndefined();
      await ben.objects.put("snapshot/3 ü*>.", bytes("smaller"));
      expect(text((await ada.objects.get("snapshot/3 ü*>.")) as Uint8Array)).toBe("smaller");
      expect(await ada.objects.names()).toEqual(["empty", "snapshot/3 ü*>."]);
      await ada.objects.remove("empty");
      await ada.objects.remove("never there");
      expect(await ben.objects.get("empty")).toBeUndefined();
      expect(await ben.objects.names()).toEqual(["snapshot/3 ü*>."]);
    });

    it("hands each task to one taker, once it is done to none", async () => {
      const [ada, ben] = two();
      for (const id of ["unit 1", "unit 2", "unit 3", "unit 1"]) await ada.queue.offer(id, bytes(`do ${id}`));
      const taken = await Promise.all([ada.queue.take(5000), ben.queue.take(5000), ben.queue.take(5000)]);
      expect(taken.map((task) => task && `${task.id} ${text(task.message)} ${task.attempt}`).sort()).toEqual([
        "unit 1 do unit 1 1",
        "unit 2 do unit 2 1",
        "unit 3 do unit 3 1",
      ]);
      expect(await ada.queue.take(50)).toBeUndefined();
      expect(await ada.queue.counts()).toEqual({ waiting: 0, taken: 3 });
      const [first, second, third] = taken;
      await first?.done();
      await second?.giveBack();
      const again = await ada.queue.take(5000);
      expect([again?.id, again?.attempt]).toEqual([second?.id, 2]);
      await again?.done();
      await third?.done();
      await ben.queue.offer("unit 2", bytes("do unit 2"));
      expect(await ben.queue.take(50)).toBeUndefined();
      expect(await ben.queue.counts()).toEqual({ waiting: 0, taken: 0 });
    });

    it("hands on the tasks of who leaves, and removes those that wait", async () => {
      const [ada] = two();
      const eve = await (carrier as Carrier).join("eve");
      await ada.queue.offer("left", bytes("left"));
      expect((await eve.queue.take(5000))?.id).toBe("left");
      await eve.close();
      const task = await ada.queue.take(5000);
      expect(task?.id).toBe("left");
      await task?.done();
      await ada.queue.offer("cleared", bytes(""));
      await ada.queue.clear();
      expect(await ada.queue.take(50)).toBeUndefined();
    });

    it("counts its traffic, and says that it is connected", async () => {
      const [ada] = two();
      const before = await ada.traffic();
      ada.publish("worker", "counted", new Uint8Array(1000));
      await ada.log.last();
      const after = await ada.traffic();
      expect(after.sent).toBeGreaterThan(before.sent);
      expect(after.sentBytes - before.sentBytes).toBeGreaterThanOrEqual(1000);
      const states: string[] = [];
      ada.onState((state) => states.push(state))();
      expect(states).toEqual(["connected"]);
    });

    it("ends what waits when it is closed", async () => {
      const eve = await (carrier as Carrier).join("eve");
      const reader = reading(eve, (await eve.log.last()) + 1);
      const task = eve.queue.take(60_000);
      const refused = expect(task).rejects.toThrow(named("TransportError"));
      await eve.close();
      await refused;
      await reader.stop();
      await expect(eve.log.last()).rejects.toThrow("was closed");
      await expect(eve.objects.get("x")).rejects.toThrow("was closed");
    });

    it("waits out a line that was cut, and loses no record", async ({ skip }) => {
      const { line, join } = carrier as Carrier;
      if (!line) return skip("lines of this carrier cannot be cut");
      const [ada] = two();
      const eve = await join("eve");
      const start = await eve.log.last();
      const states: string[] = [];
      eve.onState((state) => states.push(state));
      const reader = reading(eve, start + 1);
      await ada.log.append(bytes("before"), start, "cut-1");
      await until(() => reader.entries.length === 1, "the record before");
      await line.cut(eve);
      await until(() => states.at(-1) === "disconnected", "it says that it is not connected");
      await ada.log.append(bytes("meanwhile"), start + 1, "cut-2");
      expect(await eve.lease.take("cut", "e", 100)).toBe(false);
      const late = eve.log.append(bytes("its own"), start + 2, "cut-3");
      expect(await Promise.race([late, new Promise((resolve) => setTimeout(resolve, 100, "waits"))])).toBe(
        "waits",
      );
      await line.heal(eve);
      expect(await late).toBe(start + 3);
      await until(() => reader.entries.length === 3, "three records");
      expect(reader.texts()).toEqual([
        `${start + 1} before`,
        `${start + 2} meanwhile`,
        `${start + 3} its own`,
      ]);
      expect(states).toEqual(["connected", "disconnected", "connected"]);
      await reader.stop();
      await eve.close();
    }, 30_000);

    it("says by its sequences which records were lost with the log's tail", async ({ skip }) => {
      const { loseTail } = carrier as Carrier;
      if (!loseTail) return skip("the log of this carrier loses nothing on request");
      const [ada, ben] = two();
      const start = await ada.log.last();
      for (let index = 0; index < 4; index++)
        await ada.log.append(bytes(`old ${index}`), start + index, `tail-${index}`);
      const reader = reading(ben, start + 1);
      await until(() => reader.entries.length === 4, "four records");
      await loseTail(2);
      expect(await ada.log.last()).toBe(start + 2);
      expect(await ada.log.append(bytes("behind what is lost"), start + 4, "tail-4")).toBe("taken");
      // One is appended again as it was, and one is another.
      expect(await ada.log.append(bytes("old 2"), start + 2, "tail-2")).toBe(start + 3);
      expect(await ada.log.append(bytes("new 3"), start + 3, "tail-5")).toBe(start + 4);
      expect(await ada.log.append(bytes("new 4"), start + 4, "tail-6")).toBe(start + 5);
      await until(() => reader.texts().includes(`${start + 5} new 4`), "the records since");
      const back = reader.texts().slice(4);
      // It may come back to what is the same; it must bring all that is not.
      expect([3, 2]).toContain(back.length);
      expect(back.slice(-2)).toEqual([`${start + 4} new 3`, `${start + 5} new 4`]);
      await reader.stop();
    }, 30_000);
  });
}
