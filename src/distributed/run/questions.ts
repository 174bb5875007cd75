/** One step's questions: asks workers for its pieces, asks again where an answer is late, and weighs answers against each other. */
import type { Status } from "../status.ts";
import type { Transport } from "../transport.ts";
import { Waiters } from "../waiters.ts";
import { type Able, assign } from "./assign.ts";
import { Crew } from "./crew.ts";
import { encodeNotice, encodeQuestion, isSamePosition, type Position, subjects } from "./messages.ts";

/** What a worker said of a piece of a step: a granule, or a part of the batch. */
export interface Heard<Answer> extends Position {
  /** The piece's number, counted from 0. */
  readonly piece: number;
  /** All of it; undefined while some of it is still to come. */
  readonly answer?: Answer | undefined;
}

/** What answers are, and how they are held to each other. */
export interface AnswerForm<Answer> {
  /** The subject that workers say them under. */
  readonly subject: string;
  /** What is said of those that are wrong, in words. */
  readonly name: string;
  /** Milliseconds that an answer may take at most before another is asked, where nothing was measured. */
  readonly mostPatience: number;
  /** What a message says; undefined where it says nothing. */
  read(message: Uint8Array, sender: string): Heard<Answer> | undefined;
  /** Takes note of an answer. */
  note(answer: Answer): void;
  /** Whether they say the same. */
  agree(one: Answer, other: Answer): boolean;
  areNumbers(answer: Answer): boolean;
  /** Sees to answers of which something is missing. @returns milliseconds until it is to do so again */
  lookAfter?(now: number): number;
}

/** What one question is about. */
export interface Asked<Answer> {
  /** How many pieces there are. */
  readonly count: number;
  /** Whether an answer can be one to this piece. */
  fits(piece: number, answer: Answer): boolean;
  /** Computes a piece here: what answers are held to that are doubted. */
  judge(piece: number): Promise<Answer>;
  /** What ends the waiting, where it is there; told whether nobody is there to answer. */
  failure(isAlone: boolean): unknown;
}

/** When a step is closed, and how much is doubted. */
export interface QuestionRules {
  /** Share of a step's pieces, its granules or parts of its batch, that it needs at least. */
  readonly quorum: number;
  /** Milliseconds for the others, once so many are there. */
  readonly grace: number;
  /** Share of the pieces that two workers compute. */
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

/** What came of one piece, or did not yet. */
interface Open<Answer> {
  /** When each worker was asked for it last, when it said anything of it, and for how long it may say nothing, in milliseconds. */
  readonly asked: Map<string, { readonly at: number; heard: number; readonly patience: number }>;
  readonly answers: Map<string, Answer>;
  /** How many workers are to answer. */
  wanted: number;
  /** How often it was asked for again. */
  again: number;
}

/** Milliseconds that a first answer of an unknown worker may take. */
const firstPatience = 500;
const leastPatience = 60;
/** Each time that a piece is asked for again, an answer may take longer by this factor. */
const longer = 1.5;
/** An answer is late after so many times its usual time. */
const usualTimes = 4;
const rollEvery = 1000;

/** Asks the workers of a run. */
export class Questions<Answer> {
  readonly #transport: Transport;
  readonly #form: AnswerForm<Answer>;
  readonly #rules: QuestionRules;
  readonly #tell: (event: CrewEvent) => void;
  readonly #crew = new Crew();
  readonly #inbox: { readonly sender: string; readonly message: Uint8Array; readonly at: number }[] = [];
  readonly #stop: (() => void)[];
  readonly #waiters = new Waiters();
  #isReleased = false;

  constructor(
    transport: Transport,
    form: AnswerForm<Answer>,
    rules: QuestionRules,
    tell: (event: CrewEvent) => void,
  ) {
    this.#transport = transport;
    this.#form = form;
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
      transport.subscribe("worker", form.subject, (message, { sender }) => {
        isHere(sender);
        this.#inbox.push({ sender, message, at: performance.now() });
        this.#waiters.wake();
      }),
    ];
    transport.publish("coordinator", subjects.roll, new Uint8Array());
  }

  /**
   * The pieces of a step at one position of the run.
   *
   * @returns by piece; undefined for those that did not come in time
   */
  async ask(position: Position, asked: Asked<Answer>): Promise<readonly (Answer | undefined)[]> {
    this.#inbox.length = 0;
    const open = Array.from({ length: asked.count }, (): Open<Answer> => {
      return { asked: new Map(), answers: new Map(), wanted: 1, again: 0 };
    });
    const needed = Math.ceil(this.#rules.quorum * asked.count);
    let [graceEnd, rolled] = [Number.POSITIVE_INFINITY, 0];
    this.#begin(position, open);
    for (;;) {
      const failed = asked.failure(this.#crew.able(performance.now()).length === 0);
      if (failed) throw failed;
      await this.#takeAnswers(position, asked, open);
      const now = performance.now();
      const there = open.filter(({ answers }) => answers.size > 0).length;
      if (open.every((each) => isDone(each))) break;
      // Who is dropped takes back what it said.
      if (there < needed) graceEnd = Number.POSITIVE_INFINITY;
      else if (graceEnd === Number.POSITIVE_INFINITY) graceEnd = now + this.#rules.grace;
      if (now >= graceEnd) {
        // What nobody else said in time is looked at here; it may drop whoever said it.
        for (const [piece, each] of open.entries()) if (!isDone(each)) await this.#settle(piece, open, asked);
        if (open.filter(({ answers }) => answers.size > 0).length >= needed) break;
        continue;
      }
      if (this.#crew.able(now).length === 0 && now - rolled >= rollEvery) {
        rolled = now;
        this.#tell({ kind: "waiting" });
        this.#transport.publish("coordinator", subjects.roll, new Uint8Array());
      } else await this.#askAgain(position, open, asked);
      if (open.every((each) => isDone(each))) break;
      const looking = this.#form.lookAfter?.(now) ?? rollEvery;
      await this.#change(Math.min(this.#nextLate(open) - now, graceEnd - now, looking));
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

  #begin(position: Position, open: readonly Open<Answer>[]): void {
    const now = performance.now();
    const [able, present] = [this.#crew.able(now), this.#crew.present(now)];
    const shares = new Map(assign([...open.keys()], able));
    for (const [piece, each] of open.entries()) {
      if (Math.random() >= this.#rules.check) continue;
      each.wanted = 2;
      const isOther = ({ participant }: Able) => !shares.get(participant)?.includes(piece);
      // Who is late may check, too: being prompt alone makes nobody believed.
      const others = (able.some(isOther) ? able : present).filter(isOther);
      const second = others[Math.floor(Math.random() * others.length)];
      if (second) shares.set(second.participant, [...(shares.get(second.participant) ?? []), piece]);
    }
    this.#publish(position, open, shares);
  }

  #publish(
    position: Position,
    open: readonly Open<Answer>[],
    shares: ReadonlyMap<string, readonly number[]>,
  ): void {
    if (shares.size === 0) return;
    const at = performance.now();
    for (const [participant, share] of shares) {
      const seconds = this.#crew.secondsOf(participant);
      for (const [turn, piece] of share.entries()) {
        const usual = seconds === undefined ? firstPatience : usualTimes * 1000 * seconds * (turn + 1);
        const each = open[piece] as Open<Answer>;
        const least = Math.max(usual, leastPatience);
        const patience = Math.max(least, Math.min(least * longer ** each.again, this.#form.mostPatience));
        each.asked.set(participant, { at, heard: at, patience });
      }
    }
    this.#say(position, [...shares]);
  }

  /** In as many messages as it takes: who is asked for more by another one of the same step is asked for both. */
  #say(position: Position, shares: readonly (readonly [string, readonly number[]])[]): void {
    const question = encodeQuestion({ ...position, shares: new Map(shares) });
    const halves = question.length > this.#transport.largestMessage ? halved(shares) : undefined;
    if (halves) for (const half of halves) this.#say(position, half);
    else this.#transport.publish("coordinator", subjects.ask, question);
  }

  /** Asks others for what is late; the same where there is nobody else, whose question or answer may have been lost. */
  async #askAgain(position: Position, open: readonly Open<Answer>[], asked: Asked<Answer>): Promise<void> {
    const now = performance.now();
    const able = this.#crew.able(now);
    const shares = new Map<string, number[]>();
    for (const [piece, each] of open.entries()) {
      if (isDone(each)) continue;
      const waiting = [...each.asked].filter(([participant]) => !each.answers.has(participant));
      if (waiting.some(([, { heard, patience }]) => now - heard < patience)) continue;
      for (const [participant] of waiting) this.#crew.late(participant);
      const candidates = able.filter(({ participant }) => !each.answers.has(participant));
      const fresh = candidates.filter(({ participant }) => !each.asked.has(participant));
      const [next] = assign([piece], leastBusy(fresh.length > 0 ? fresh : candidates, shares)).keys();
      if (next === undefined) {
        await this.#settle(piece, open, asked);
        continue;
      }
      each.again++;
      shares.set(next, [...(shares.get(next) ?? []), piece]);
    }
    this.#publish(position, open, shares);
  }

  /** When the next answer is late. */
  #nextLate(open: readonly Open<Answer>[]): number {
    let next = performance.now() + rollEvery;
    for (const each of open)
      if (!isDone(each))
        for (const [participant, { heard, patience }] of each.asked)
          if (!each.answers.has(participant) && heard + patience > performance.now())
            next = Math.min(next, heard + patience);
    return next;
  }

  async #takeAnswers(position: Position, asked: Asked<Answer>, open: readonly Open<Answer>[]): Promise<void> {
    for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) {
      const { sender, message, at } = next;
      if (this.#crew.isDropped(sender)) continue;
      const heard = this.#form.read(message, sender);
      const each = heard && isSamePosition(heard, position) ? open[heard.piece] : undefined;
      const question = each?.asked.get(sender);
      // What nobody asked for does not count.
      if (!heard || !each || !question || each.answers.has(sender)) continue;
      question.heard = at;
      const { piece, answer } = heard;
      if (answer === undefined || !asked.fits(piece, answer)) continue;
      const before = open.filter((other) => other.answers.has(sender)).length;
      if (each.again === 0) this.#crew.measured(sender, (at - question.at) / 1000 / (before + 1));
      each.answers.set(sender, answer);
      this.#form.note(answer);
      this.#crew.answered(sender);
      await this.#weigh(piece, open, asked);
    }
  }

  /** Ends a doubt that nobody else ends in time; who works alone is believed. */
  async #settle(piece: number, open: readonly Open<Answer>[], asked: Asked<Answer>): Promise<void> {
    const each = open[piece] as Open<Answer>;
    const isAlone = this.#crew.present(performance.now()).length <= 1;
    if (each.answers.size > 0 && !isAlone) await this.#judge(piece, open, asked);
    if (each.answers.size > 0) each.wanted = each.answers.size;
  }

  /** Drops whoever said what the piece is not. */
  async #weigh(piece: number, open: readonly Open<Answer>[], asked: Asked<Answer>): Promise<void> {
    const { areNumbers, agree } = this.#form;
    const all = [...(open[piece] as Open<Answer>).answers.values()];
    const [first] = all;
    if (first === undefined || (all.every(areNumbers) && all.every((answer) => agree(answer, first)))) return;
    await this.#judge(piece, open, asked);
  }

  /** As `#weigh`, by what the piece is when it is computed here. */
  async #judge(piece: number, open: readonly Open<Answer>[], { judge }: Asked<Answer>): Promise<void> {
    const { areNumbers, agree, name } = this.#form;
    const { answers } = open[piece] as Open<Answer>;
    const truth = await judge(piece);
    for (const [participant, answer] of [...answers]) {
      if (agree(answer, truth) || (!areNumbers(answer) && !areNumbers(truth))) continue;
      const what = areNumbers(answer) ? "others than were computed elsewhere" : "not finite";
      this.drop(participant, `its ${name} are ${what}`);
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

function isDone<Answer>({ answers, wanted }: Open<Answer>): boolean {
  return answers.size >= wanted;
}

/** Undefined for one piece of one worker. */
function halved(shares: readonly (readonly [string, readonly number[]])[]) {
  if (shares.length > 1) {
    const middle = shares.length >> 1;
    return [shares.slice(0, middle), shares.slice(middle)];
  }
  const [participant, pieces] = shares[0] ?? ["", []];
  const middle = pieces.length >> 1;
  if (middle === 0) return undefined;
  return [pieces.slice(0, middle), pieces.slice(middle)].map((half) => [[participant, half]] as const);
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
