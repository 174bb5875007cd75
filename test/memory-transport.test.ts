/** Participants in one process: the contract of all transports, and the faults that can be asked for. */
import { describe, expect, it } from "vitest";
import { memoryNetwork } from "../src/distributed/memory-transport.ts";
import { bytes, text, transportContract, until } from "./transport-contract.ts";

transportContract("in memory", async () => {
  const network = memoryNetwork({ delay: 3 });
  return {
    join: async (user) => network.join(user),
    line: {
      cut: async ({ participant }) => network.cut(participant),
      heal: async ({ participant }) => network.heal(participant),
    },
    loseTail: async (records) => network.loseTail(records),
    end: async () => undefined,
  };
});

describe("faults in memory", () => {
  /** What ben hears of numbers that ada says. */
  async function heard(options: Parameters<typeof memoryNetwork>[0], count = 400): Promise<number[]> {
    const network = memoryNetwork(options);
    const [ada, ben] = [network.join("ada"), network.join("ben")];
    const numbers: number[] = [];
    let isOver = false;
    ben.subscribe("worker", "number", (message) => numbers.push(Number(text(message))));
    ben.subscribe("worker", "over", () => {
      isOver = true;
    });
    for (let index = 0; index < count; index++) ada.publish("worker", "number", bytes(`${index}`));
    await new Promise((resolve) => setTimeout(resolve, (options?.delay ?? 0) + 20));
    network.faults.drop = 0;
    ada.publish("worker", "over", bytes(""));
    await until(() => isOver, "the last message");
    return numbers;
  }

  it("are none unless asked for", async () => {
    expect(await heard({})).toEqual(Array.from({ length: 400 }, (_, index) => index));
  });

  it("lose and repeat the shares that are asked for, the same ones for the same seed", async () => {
    const [some, same, others] = [
      await heard({ drop: 0.1, repeat: 0.1, seed: 3 }),
      await heard({ drop: 0.1, repeat: 0.1, seed: 3 }),
      await heard({ drop: 0.1, repeat: 0.1, seed: 4 }),
    ];
    expect(same).toEqual(some);
    expect(others).not.toEqual(some);
    expect(new Set(some).size).toBeGreaterThan(330);
    expect(new Set(some).size).toBeLessThan(385);
    expect(some.length - new Set(some).size).toBeGreaterThan(15);
  });

  it("let messages overtake each other where they are late", async () => {
    const late = await heard({ delay: 20 });
    expect(late).toHaveLength(400);
    expect(late).not.toEqual([...late].sort((a, b) => a - b));
  });

  it("hand a task to another where its taker has no line", async () => {
    const network = memoryNetwork({ taskMilliseconds: 50 });
    const [ada, ben] = [network.join("ada"), network.join("ben")];
    await ada.queue.offer("unit", bytes("unit"));
    const first = await ada.queue.take(1000);
    network.cut(ada.participant);
    expect(await ben.queue.take(10)).toBeUndefined();
    const second = await ben.queue.take(5000);
    expect([first?.attempt, second?.attempt]).toEqual([1, 2]);
  });

  it("leave no room where it is said so", async () => {
    const network = memoryNetwork();
    network.isFull = true;
    const ada = network.join("ada");
    await expect(ada.log.append(bytes("x"), 0, "x")).rejects.toMatchObject({ reason: "full" });
    await expect(ada.objects.put("x", bytes("x"))).rejects.toMatchObject({ reason: "full" });
    network.isFull = false;
    expect(await ada.log.append(bytes("x"), 0, "x")).toBe(1);
  });
});
