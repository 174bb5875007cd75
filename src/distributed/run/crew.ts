/** The workers that a coordinator knows: who is there, how fast each is, and who is not asked any more. */
import type { Status } from "../status.ts";
import type { Able } from "./assign.ts";

/** So many milliseconds after its last word, a worker is gone. Workers say that they are there every second. */
const silence = 5000;

/** How much of a new measurement counts. */
const newest = 0.3;

interface Member {
  heard: number;
  seconds: number | undefined;
  /** Granules that it answered for. */
  done: number;
  /** Whether it let a question pass without a word. */
  isLate: boolean;
}

/** Keeps what is known of workers. Times are milliseconds of one clock. */
export class Crew {
  readonly #members = new Map<string, Member>();
  readonly #dropped = new Set<string>();

  /** It said something. @returns whether it is new */
  heard(participant: string, now: number): boolean {
    if (this.#dropped.has(participant)) return false;
    const member = this.#members.get(participant);
    if (member) {
      member.heard = now;
      member.isLate = false;
      return false;
    }
    this.#members.set(participant, { heard: now, seconds: undefined, done: 0, isLate: false });
    return true;
  }

  /** It took so many seconds for a granule. */
  measured(participant: string, seconds: number): void {
    const member = this.#members.get(participant);
    if (!member) return;
    member.seconds =
      member.seconds === undefined ? seconds : (1 - newest) * member.seconds + newest * seconds;
  }

  /** It answered for a granule. */
  answered(participant: string): void {
    const member = this.#members.get(participant);
    if (member) member.done++;
  }

  late(participant: string): void {
    const member = this.#members.get(participant);
    if (member) member.isLate = true;
  }

  /** It left. */
  gone(participant: string): void {
    this.#members.delete(participant);
  }

  /** It is not asked any more, whatever it says. */
  drop(participant: string): void {
    this.#dropped.add(participant);
    this.#members.delete(participant);
  }

  isDropped(participant: string): boolean {
    return this.#dropped.has(participant);
  }

  secondsOf(participant: string): number | undefined {
    return this.#members.get(participant)?.seconds;
  }

  /** All that are there, for people who ask how it goes. */
  known(now: number): Status["workers"] {
    return [...this.#members].map(([participant, { heard, done, seconds }]) => ({
      ...{ participant, done, secondsEach: seconds ?? null, silent: (now - heard) / 1000 },
    }));
  }

  /** Whom to ask: those that are there; those that are late only where there is nobody else. */
  able(now: number): readonly Able[] {
    const prompt = this.#there(now).filter(([, { isLate }]) => !isLate);
    return prompt.length > 0 ? prompt.map(asAble) : this.present(now);
  }

  /** All that are there, late or not. */
  present(now: number): readonly Able[] {
    return this.#there(now).map(asAble);
  }

  #there(now: number): readonly (readonly [string, Member])[] {
    return [...this.#members].filter(([, { heard }]) => now - heard < silence);
  }
}

function asAble([participant, { seconds }]: readonly [string, Member]): Able {
  return { participant, seconds };
}
