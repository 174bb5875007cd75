/** Participants in one process, with the faults of a network and a server on request: for tests, and for trying out a run. */
import { keyFromSeed, threefry2x32 } from "../random/threefry.ts";
import { MemoryKeeper } from "./memory-keeper.ts";
import { checkSubject, matches } from "./subjects.ts";
import type { Listener, Role, Transport } from "./transport.ts";
import { tooLarge } from "./transport-error.ts";

/** What goes wrong between participants; all of it may be changed while they talk. */
export interface Faults {
  /** Share of the messages that are lost, from 0 to 1. */
  drop: number;
  /** Share of the messages that come twice. */
  repeat: number;
  /** The most milliseconds that a message takes; each takes another time, so they overtake each other. */
  delay: number;
}

/** What participants of {@link memoryNetwork} share. */
export interface MemoryNetwork {
  /** What goes wrong now. */
  readonly faults: Faults;
  /**
   * A further participant.
   *
   * @param user its name before the point
   */
  join(user: string): Transport;
  /** Takes the line from a participant: it hears and says nothing, and what it asks for waits. */
  cut(participant: string): void;
  /** Gives a participant its line back. */
  heal(participant: string): void;
  /** The log loses its last records, as a server may that dies before it syncs. */
  loseTail(records: number): void;
  /** Whether there is no room for anything more. */
  isFull: boolean;
}

/** How {@link memoryNetwork} behaves. */
export interface MemoryNetworkOptions extends Partial<Faults> {
  /** Which messages are lost, repeated and late; default 1. */
  readonly seed?: number;
  /** The most bytes of a message; default 2²⁰. */
  readonly largestMessage?: number;
  /** Milliseconds after which a task goes to another where its taker has no line; default 1000. */
  readonly taskMilliseconds?: number;
}

/**
 * Participants in one process.
 *
 * @throws SettingError when the seed is no whole number from 0 to 2⁵³ − 1
 */
export function memoryNetwork({
  seed = 1,
  drop = 0,
  repeat = 0,
  delay = 0,
  largestMessage = 2 ** 20,
  taskMilliseconds = 1000,
}: MemoryNetworkOptions = {}): MemoryNetwork {
  const key = keyFromSeed(seed);
  let drawn = 0;
  const uniform = () => threefry2x32(key, drawn++, 0)[0] / 2 ** 32;
  const faults: Faults = { drop, repeat, delay };
  const keeper = new MemoryKeeper(largestMessage, taskMilliseconds);
  const listeners = new Set<(role: Role, subject: string, sender: string, message: Uint8Array) => void>();
  const users = new Map<string, number>();

  function say(role: Role, subject: string, sender: string, message: Uint8Array): void {
    for (const hear of listeners) {
      if (uniform() < faults.drop) continue;
      const times = uniform() < faults.repeat ? 2 : 1;
      for (let time = 0; time < times; time++)
        setTimeout(() => hear(role, subject, sender, message.slice()), uniform() * faults.delay);
    }
  }

  function join(user: string): Transport {
    checkSubject(user);
    users.set(user, (users.get(user) ?? 0) + 1);
    const participant = `${user}.${users.get(user)}`;
    const line = keeper.line(participant);
    const own = new Set<Parameters<typeof listeners.add>[0]>();
    return {
      participant,
      describe: "The run of this network in memory",
      largestMessage,
      publish(role, subject, message) {
        checkSubject(subject);
        if (message.length > largestMessage) throw tooLarge(message.length, largestMessage);
        if (!line.isOpen()) return;
        line.count(message.length, "sent");
        say(role, subject, participant, message.slice());
      },
      subscribe(role: Role, pattern: string, heard: Listener) {
        checkSubject(pattern, true);
        const hear = (as: Role, subject: string, sender: string, message: Uint8Array) => {
          if (as !== role || !own.has(hear) || !line.isOpen() || !matches(pattern, subject)) return;
          line.count(message.length, "received");
          heard(message, { sender, subject });
        };
        own.add(hear);
        listeners.add(hear);
        return () => {
          own.delete(hear);
          listeners.delete(hear);
        };
      },
      log: line.log,
      lease: line.lease,
      objects: line.objects,
      queue: line.queue,
      onState: line.onState,
      traffic: async () => line.traffic(),
      async close() {
        for (const hear of own) listeners.delete(hear);
        own.clear();
        line.close();
      },
    };
  }
  return {
    faults,
    join,
    cut: (participant) => keeper.setLine(participant, false),
    heal: (participant) => keeper.setLine(participant, true),
    loseTail: (records) => keeper.loseTail(records),
    get isFull() {
      return keeper.isFull;
    },
    set isFull(isFull) {
      keeper.isFull = isFull;
    },
  };
}
