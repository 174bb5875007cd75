/** One step's questions: asks workers for granules, asks again where an answer is late, and weighs answers against each other. */
import type { Status } from "../status.ts";
import type { Transport } from "../transport.ts";
import { Waiters } from "../waiters.ts";
import { isSame } from "../weights/fingerprint.ts";
import type { Measured } from "../weights/granule.ts";
import type { Granule } from "../weights/slices.ts";
import { Agreement, areNumbers } from "./agreement.ts";
import { assign } from "./assign.ts";
import { Crew } from "./crew.ts";
import { decodeAnswer, encodeNotice, encodeQuestion, type Position, subjects } from "./messages.ts";

/** When a step is closed, and how much is doubted. */
export interface QuestionRules {
  /** Share of the granules that a step needs at least. */
  readonly quorum: number;
  /** Milliseconds for the others, once so many are there. */
  readonly grace: number;
  /** Share of the granules that two workers compute. */
  readonly check: number;
}

/** What happens among workers, for people. */
export interface CrewEvent {
  /** It came, it left, it is not asked any more; or nobody is there. */
  readonly kind: "joined" | "left" | "dropped" | "waiting";
  /** Whom it is about; of `waiting`, nobody. */
  readonly participant?: string;
  /** In words. */
  readonly why?: string;
}

/** What came of one granule, or did not yet. */
interface Open {
  /** When each worker was asked for it last, and for how long it may take, in milliseconds. */
  readonly asked: Map<string, { readonly at: number; readonly patience: number }>;
  readonly answers: Map<string, Measured>;
  /** How many workers are to answer. */
  wanted: number;
  /** How often it was asked for again. */
  again: number;
}

/** Milliseconds that a first answer of an unknown worker may take. */
const firstPatience = 500;
const leastPatience = 60;
/** Each time that a granule is asked for again, an answer may take longer by this factor, and at most so many milliseconds. */
const longer = 1.5;
const mostPatience = 2000;
/** An answer is late after so many times its usual time. */
const usualTimes = 4;
const rollEvery = 1000;

/** Asks the workers of a run. */
export class Questions {
  readonly #transport: Transport;
  readonly #rules: QuestionRules;
  readonly #tell: (event: CrewEvent) => void;
  readonly #crew = new Crew();
  readonly #agreement = new Agreement();
  readonly #inbox: { readonly sender: string; readonly message: Uint8Array; readonly at: number }[] = [];
  readonly #stop: (() => void)[];
  readonly #waiters = new Waiters();
  #isReleased = false;

  constructor(transport: Transport, rules: QuestionRules, tell: (event: CrewEvent) => void) {
    this.#transport = transport;
    this.#rules = rules;
    this.#tell = tell;
    const isHere = (sender: string) => {
      if (this.#crew.heard(sender, performance.now())) {
        tell({ kind: "joined", participant: sender });
        this.#waiters.wake();
      }
    };
    this.#stop = [
      transport.subscribe("worker", subjects.here, (_, { sender }) => isHere(sender)),
      transport.subscribe("worker", subjects.gone, (_, { sender }) => {
        this.#crew.gone(sender);
        tell({ kind: "left", participant: sender });
        this.#waiters.wake();
      }),
      transport.subscribe("worker", subjects.answer, (message, { sender }) => {
        isHere(sender);
        this.#inbox.push({ sender, message, at: performance.now() });
        this.#waiters.wake();
      }),
    ];
    transport.publish("coordinator", subjects.roll, new Uint8Array());
  }

  /**
   * The derivatives of a step's granules at one position of the run.
   *
   * @param judge computes a granule here: what answers are held to that are doubted
   * @param failure what ends the waiting, where it is there; told whether nobody is there to answer
   * @returns by granule; undefined for those that did not come in time
   */
  async ask(
    position: Position,
    granules: readonly Granule[],
    judge: (granule: number) => Promise<Measured>,
    failure: (isAlone: boolean) => unknown,
  ): Promise<readonly (Measured | undefined)[]> {
    this.#inbox.length = 0;
    const open = granules.map((): Open => ({ asked: new Map(), answers: new Map(), wanted: 1, again: 0 }));
    const needed = Math.ceil(this.#rules.quorum * granules.length);
    let [graceEnd, rolled] = [Number.POSITIVE_INFINITY, 0];
    this.#begin(position, open);
    for (;;) {
      const failed = failure(this.#crew.able(performance.now()).length === 0);
      if (failed) throw failed;
      await this.#takeAnswers(position, granules, open, judge);
      const now = performance.now();
      const there = open.filter(({ answers }) => answers.size > 0).length;
      if (open.every((each) => isDone(each))) break;
      if (there >= needed && graceEnd === Number.POSITIVE_INFINITY) graceEnd = now + this.#rules.grace;
      if (now >= graceEnd) break;
      if (this.#crew.able(now).length === 0 && now - rolled >= rollEvery) {
        rolled = now;
        this.#tell({ kind: "waiting" });
        this.#transport.publish("coordinator", subjects.roll, new Uint8Array());
      } else this.#askAgain(position, open, now);
      await this.#change(Math.min(this.#nextLate(open), graceEnd) - performance.now());
    }
    return open.map(({ answers }) => [...answers.values()][0]);
  }

  /** A worker is not asked any more, and hears why. */
  drop(participant: string, why: string): void {
    this.#crew.drop(participant);
    this.#tell({ kind: "dropped", participant, why });
    this.#transport.publish("coordinator", subjects.dropped, encodeNotice(participant, why));
  }

  /** The workers that are there. */
  workers(): Status["workers"] {
    return this.#crew.known(performance.now());
  }

  /** Looks up from waiting. */
  wake(): void {
    this.#waiters.wake();
  }

  release(): void {
    this.#isReleased = true;
    for (const stop of this.#stop) stop();
    this.#waiters.wake();
  }

  #begin(position: Position, open: readonly Open[]): void {
    const able = this.#crew.able(performance.now());
    const shares = new Map(assign([...open.keys()], able));
    if (able.length > 1)
      for (const [granule, each] of open.entries()) {
        if (Math.random() >= this.#rules.check) continue;
        const others = able.filter(({ participant }) => !shares.get(participant)?.includes(granule));
        const second = others[Math.floor(Math.random() * others.length)];
        if (!second) continue;
        each.wanted = 2;
        shares.set(second.participant, [...(shares.get(second.participant) ?? []), granule]);
      }
    this.#publish(position, open, shares);
  }

  #publish(position: Position, open: readonly Open[], shares: ReadonlyMap<string, readonly number[]>): void {
    if (shares.size === 0) return;
    const at = performance.now();
    for (const [participant, share] of shares) {
      const seconds = this.#crew.secondsOf(participant);
      for (const [turn, granule] of share.entries()) {
        const usual = seconds === undefined ? firstPatience : usualTimes * 1000 * seconds * (turn + 1);
        const each = open[granule] as Open;
        const least = Math.max(usual, leastPatience);
        const patience = Math.max(least, Math.min(least * longer ** each.again, mostPatience));
        each.asked.set(participant, { at, patience });
      }
    }
    this.#transport.publish("coordinator", subjects.ask, encodeQuestion({ ...position, shares }));
  }

  /** Asks others for what is late; the same where there is nobody else, whose question or answer may have been lost. */
  #askAgain(position: Position, open: readonly Open[], now: number): void {
    const able = this.#crew.able(now);
    const shares = new Map<string, number[]>();
    for (const [granule, each] of open.entries()) {
      if (isDone(each)) continue;
      const waiting = [...each.asked].filter(([participant]) => !each.answers.has(participant));
      if (waiting.some(([, { at, patience }]) => now - at < patience)) continue;
      for (const [participant] of waiting) this.#crew.late(participant);
      const candidates = able.filter(({ participant }) => !each.answers.has(participant));
      const fresh = candidates.filter(({ participant }) => !each.asked.has(participant));
      const [next] = assign([granule], leastBusy(fresh.length > 0 ? fresh : candidates, shares)).keys();
      // Nobody else can say it: a doubt is given up.
      if (next === undefined) {
        if (each.answers.size > 0) each.wanted = each.answers.size;
        continue;
      }
      each.again++;
      shares.set(next, [...(shares.get(next) ?? []), granule]);
    }
    this.#publish(position, open, shares);
  }

  /** When the next answer is late. */
  #nextLate(open: readonly Open[]): number {
    let next = performance.now() + rollEvery;
    for (const each of open)
      if (!isDone(each))
        for (const [participant, { at, patience }] of each.asked)
          if (!each.answers.has(participant) && at + patience > performance.now())
            next = Math.min(next, at + patience);
    return next;
  }

  async #takeAnswers(
    position: Position,
    granules: readonly Granule[],
    open: readonly Open[],
    judge: (granule: number) => Promise<Measured>,
  ): Promise<void> {
    for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) {
      const { sender, message, at } = next;
      const answer = decodeAnswer(message);
      if (!answer || this.#crew.isDropped(sender)) continue;
      const isOurs =
        answer.after === position.after &&
        answer.step === position.step &&
        isSame(answer.before, position.before);
      const each = open[answer.granule];
      if (!isOurs || !each || answer.derivatives.length !== granules[answer.granule]?.count) continue;
      const asked = each.asked.get(sender);
      // What nobody asked for does not count.
      if (!asked || each.answers.has(sender)) continue;
      const before = open.filter((other) => other.answers.has(sender)).length;
      if (each.again === 0) this.#crew.measured(sender, (at - asked.at) / 1000 / (before + 1));
      each.answers.set(sender, answer);
      this.#agreement.note(answer);
      this.#crew.answered(sender);
      await this.#weigh(answer.granule, open, judge);
    }
  }

  /** Drops whoever said what the granule is not. */
  async #weigh(
    granule: number,
    open: readonly Open[],
    judge: (granule: number) => Promise<Measured>,
  ): Promise<void> {
    const { answers } = open[granule] as Open;
    const all = [...answers.values()];
    const [first] = all;
    if (!first || (all.every(areNumbers) && all.every((answer) => this.#agreement.of(answer, first)))) return;
    const truth = await judge(granule);
    for (const [participant, answer] of [...answers]) {
      if (this.#agreement.of(answer, truth) || (!areNumbers(answer) && !areNumbers(truth))) continue;
      const what = areNumbers(answer) ? "others than were computed elsewhere" : "not finite";
      this.drop(participant, `its derivatives of a granule are ${what}`);
      // Nothing else that it said counts either.
      for (const each of open) {
        each.asked.delete(participant);
        if (each.answers.delete(participant)) each.wanted = 1;
      }
    }
  }

  async #change(milliseconds: number): Promise<void> {
    if (this.#inbox.length > 0 || this.#isReleased) return;
    await this.#waiters.change(Math.max(1, Math.min(milliseconds, rollEvery)));
  }
}

function isDone({ answers, wanted }: Open): boolean {
  return answers.size >= wanted;
}

/** Those with the fewest new questions. */
function leastBusy<Each extends { readonly participant: string }>(
  able: readonly Each[],
  shares: ReadonlyMap<string, readonly number[]>,
): readonly Each[] {
  const busy = ({ participant }: Each) => shares.get(participant)?.length ?? 0;
  const least = Math.min(...able.map(busy));
  return able.filter((each) => busy(each) === least);
}
