/** The page's side: a run in a worker of the page's own, as `train` would tell of it. */
import { DeviceError, SettingError } from "../errors/errors.ts";
import { errorFrom } from "../errors/plain-errors.ts";
import { option, Words, words } from "../errors/words.ts";
import { asData } from "../settings/config.ts";
import type { TrainEvent } from "../train/events.ts";
import type { UnlabelledExamples } from "../train/example-arrays.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { hearDeath } from "./life.ts";
import type { AskedInputs, Predictions, Reply, Request, WithoutRun, WorkerTrainOptions } from "./messages.ts";

/** As much of a `Worker` as is used here. */
export interface WorkerLike {
  /** Sends to the worker. */
  postMessage(message: unknown): void;
  /** Hears the worker, and of its failure to start. */
  addEventListener(
    type: "message" | "error",
    listener: (event: { readonly data?: unknown; readonly message?: string }) => void,
  ): void;
}

/** A run in a worker: the events of `train`, of which each is told once. */
export interface WorkerTraining extends AsyncIterableIterator<TrainEvent> {
  /**
   * What the model says of inputs, as it is after the last step, or at the end: while the run goes on, and after it.
   *
   * @param inputs [count, …shape of an example], flat, where bytes are pixels and stand for value / 255; or examples, a dataset's or
   *   { inputs }, for a model of several inputs
   * @throws as `train`; DeviceError when the worker is gone
   */
  predict(inputs: Uint8Array | Float32Array | UnlabelledExamples): Promise<Predictions>;
}

/**
 * Trains in a worker whose module calls `serveTraining(self)`: the page stays free. The run begins at once. Options are those of
 * `train`, but they have to be data that a message can hold: optimizers and the like by name, as `{ name, … }`, or as the library's
 * functions make them; `runtime` and `store` say what the worker makes for itself. Leaving the loop stops the run after its step,
 * with a checkpoint. Errors are of the classes that the worker threw. A worker that is killed ends the run with a DeviceError, and
 * another one resumes it where it is kept in a `store`.
 *
 * @throws SettingError for an option that no message can hold
 */
export function trainInWorker(worker: WorkerLike, options: WorkerTrainOptions): WorkerTraining {
  const { signal, ...given } = options;
  const training = new RemoteTraining(worker);
  training.begin(given, signal);
  return training;
}

type Unfinished = Deferred<IteratorResult<TrainEvent>>;

class RemoteTraining implements WorkerTraining {
  readonly #worker: WorkerLike;
  readonly #run = crypto.randomUUID();
  /** Events that nobody has taken yet. */
  readonly #events: TrainEvent[] = [];
  /** Who waits for an event. */
  readonly #waiting: Unfinished[] = [];
  readonly #predictions = new Map<number, Deferred<Predictions>>();
  #asked = 0;
  readonly #lives: (isLocked: boolean) => void;
  /** The last message, or why there will be none. */
  readonly #end = deferred();
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #death: DeviceError | undefined;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => {
      if ((data as Partial<Reply> | null)?.run === this.#run) this.#receive(data as Reply);
    });
    this.#lives = hearDeath(worker, this.#run, (how) => this.#die(how));
  }

  begin(given: Omit<WorkerTrainOptions, "signal">, signal: AbortSignal | undefined): void {
    const options = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, asData(value)]));
    try {
      this.#send({ kind: "train", options: options as unknown as Omit<WorkerTrainOptions, "signal"> });
    } catch (cause) {
      throw unsendable(options, cause);
    }
    const stop = () => this.#send({ kind: "stop" });
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<TrainEvent>> {
    const event = this.#events.shift();
    if (event) return { value: event, done: false };
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    if (this.#hasEnded) return { value: undefined, done: true };
    const waiting: Unfinished = deferred();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Stops the run, and waits until the worker and its store are free. */
  async return(): Promise<IteratorResult<TrainEvent>> {
    if (!this.#hasEnded) this.#send({ kind: "stop" });
    await this.#end.promise;
    this.#events.length = 0;
    this.#failure = undefined;
    return { value: undefined, done: true };
  }

  async predict(inputs: AskedInputs): Promise<Predictions> {
    if (this.#death) throw this.#death;
    const id = this.#asked++;
    const asked = deferred<Predictions>();
    this.#predictions.set(id, asked);
    this.#send({ kind: "predict", id, inputs });
    return asked.promise;
  }

  #send(request: WithoutRun<Request>): void {
    this.#worker.postMessage({ ...request, run: this.#run });
  }

  #receive(reply: Reply): void {
    const { run, ...told } = reply;
    if (told.kind === "alive") this.#lives(told.isLocked);
    else if (told.kind === "predictions") {
      const { id, outputs, step } = told;
      this.#answered(id)?.resolve({ outputs, step });
    } else if (told.kind === "error" && told.id !== undefined) {
      this.#answered(told.id)?.reject(errorFrom(told.error));
    } else if (told.kind === "error") this.#finish({ error: errorFrom(told.error) });
    else if (told.kind === "steps") for (const event of told.events) this.#take(event);
    else {
      this.#take(told.kind === "start" ? { ...told, notes: told.notes.map(asWords) } : told);
      if (told.kind === "done" || told.kind === "interrupted") this.#finish();
    }
  }

  #answered(id: number): Deferred<Predictions> | undefined {
    const asked = this.#predictions.get(id);
    this.#predictions.delete(id);
    return asked;
  }

  #take(event: TrainEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ value: event, done: false });
    else this.#events.push(event);
  }

  #finish(failure?: { readonly error: unknown }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const [first, ...others] = this.#waiting.splice(0);
    if (failure && first) first.reject(failure.error);
    else if (failure) this.#failure = failure;
    else first?.resolve({ value: undefined, done: true });
    for (const waiting of others) waiting.resolve({ value: undefined, done: true });
    this.#end.resolve();
  }

  #die(how: string): void {
    const error = new DeviceError(
      words`The worker is gone: ${how}. A run that is kept (${option("store", null)}) goes on in another worker
        (${option("resume", true)}).`,
      { device: "worker" },
    );
    this.#death = error;
    for (const [id, asked] of this.#predictions) {
      this.#predictions.delete(id);
      asked.reject(error);
    }
    this.#finish({ error });
  }
}

/** Names the option that no message can hold. */
function unsendable(options: Readonly<Record<string, unknown>>, cause: unknown): SettingError {
  const [name = "options"] =
    Object.entries(options).find(([, value]) => {
      try {
        structuredClone(value);
        return false;
      } catch {
        return true;
      }
    }) ?? [];
  return new SettingError(
    words`${option(name)} cannot be sent to a worker, because there are functions in it. Give a name, data ({ name: …, … }), what a
      function of the library makes, or of a model its bytes; a worker of your own may call train with anything.`,
    { option: name, cause },
  );
}

function asWords({ message, mentions }: Pick<Words, "message" | "mentions">): Words {
  return new Words(message, mentions);
}
