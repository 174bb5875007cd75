/** The worker's side: trains what a page asks for, and tells it of every step. */
import { ForwardgradError, SettingError } from "../errors/errors.ts";
import { plainError } from "../errors/plain-errors.ts";
import type { Model } from "../onnx/read-model.ts";
import { afterMessages } from "../runtime/page.ts";
import { webRuntime } from "../runtime/web.ts";
import { opfsStore } from "../storage/opfs-store.ts";
import type { TrainEvent } from "../train/events.ts";
import { runOptions } from "../train/run-options.ts";
import type { RunOptions } from "../train/settings/run-settings.ts";
import { TrainingRun } from "../train/train.ts";
import { holdLock } from "./life.ts";
import type { ModelFiles, Reply, Request, StepEvent } from "./messages.ts";
import { openPredictor, type Predictor } from "./predictor.ts";

/** As much of a worker's own scope, `self`, as is used here. */
export interface WorkerScope {
  /** Sends to the page. */
  postMessage(message: unknown): void;
  /** Hears the page. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
}

/** Steps are told at most so often. */
const millisecondsBetweenSteps = 50;

/**
 * Makes a worker train for its page, which calls `trainInWorker`: `serveTraining(self)` is all that the worker's module needs.
 * Other messages are left alone.
 */
export function serveTraining(scope: WorkerScope): void {
  const server = new TrainingServer((reply) => scope.postMessage(reply));
  scope.addEventListener("message", ({ data }) => {
    if (isRequest(data)) void server.receive(data);
  });
}

function isRequest(data: unknown): data is Request {
  const { run, kind } = (data ?? {}) as Partial<Request>;
  return typeof run === "string" && (kind === "train" || kind === "stop" || kind === "predict");
}

type TrainRequest = Extract<Request, { kind: "train" }>;
type PredictRequest = Extract<Request, { kind: "predict" }>;

/** The run that is served: while it trains, and after it. */
interface Subject {
  readonly run: string;
  readonly stop: AbortController;
  isTraining: boolean;
  /** The run's model, once it has one. */
  model?: { readonly options: RunOptions; readonly file: () => Promise<Uint8Array>; readonly step: number };
}

/** The steps behind the model's parameters, where an event says them. */
function stepOf(event: TrainEvent): number | undefined {
  if (event.kind === "done") return event.result.steps;
  if (event.kind === "recovery") return event.from;
  return "step" in event ? event.step : undefined;
}

class TrainingServer {
  readonly #post: (reply: Reply) => void;
  #subject: Subject | undefined;
  /** Of the model as it was after a step. */
  #predictor: { readonly of: string; readonly ready: Promise<Predictor> } | undefined;
  #steps: StepEvent[] = [];
  #lastTold = 0;
  /** Predictions wait for the end of a step, when no parameter is half written. */
  readonly #asked: PredictRequest[] = [];
  #answering = Promise.resolve();

  constructor(post: (reply: Reply) => void) {
    this.#post = post;
  }

  async receive(request: Request): Promise<void> {
    if (request.kind === "train") return this.#begin(request);
    if (request.kind === "stop") {
      if (this.#subject?.run === request.run) this.#subject.stop.abort();
      return;
    }
    this.#asked.push(request);
    if (!this.#subject?.isTraining) await this.#answer();
  }

  async #begin({ run, options }: TrainRequest): Promise<void> {
    const isBusy = this.#subject?.isTraining === true;
    const subject: Subject = { run, stop: new AbortController(), isTraining: true };
    if (!isBusy) this.#subject = subject;
    await holdLock(run, (isLocked) => this.#post({ run, kind: "alive", isLocked }));
    if (isBusy) {
      const error = new SettingError(
        "A worker trains one run at a time, and this one is at work; wait for its end, stop it, or open another worker.",
        { option: "worker" },
      );
      this.#post({ run, kind: "error", error: plainError(error) });
      return;
    }
    let last: Reply;
    try {
      last = await this.#train(subject, options);
    } catch (error) {
      this.#tellSteps(run);
      last = { run, kind: "error", error: plainError(error) };
    }
    subject.isTraining = false;
    await this.#answer();
    this.#post(last);
  }

  /** The event that ends the run, which is told when its store is free again. */
  async #train(subject: Subject, options: TrainRequest["options"]): Promise<Reply> {
    const { runtime, store, model, ...given } = options;
    const settings = await runOptions({
      ...given,
      model: isFiles(model) ? await openFiles(model) : model,
      runtime: await webRuntime(runtime),
      ...(store !== undefined && { store: opfsStore(store) }),
      signal: subject.stop.signal,
    });
    const training = await TrainingRun.open(settings);
    try {
      for await (const event of training.events()) {
        const step = stepOf(event) ?? subject.model?.step ?? 0;
        subject.model = { options: settings, file: () => training.model(), step };
        if (event.kind === "done" || event.kind === "interrupted") {
          this.#tellSteps(subject.run);
          const { model: last } = event;
          subject.model = { options: settings, file: async () => last, step };
          return { run: subject.run, ...event };
        }
        await this.#tell(subject.run, event);
      }
    } finally {
      await training.release();
    }
    throw new ForwardgradError("A run ended without its last event.");
  }

  async #tell(run: string, event: TrainEvent): Promise<void> {
    if (event.kind === "step") {
      this.#steps.push(event);
      if (performance.now() - this.#lastTold < millisecondsBetweenSteps) return;
    }
    this.#tellSteps(run);
    if (event.kind !== "step") this.#post({ run, ...event });
    await afterMessages();
    await this.#answer();
  }

  #tellSteps(run: string): void {
    this.#lastTold = performance.now();
    if (this.#steps.length === 0) return;
    this.#post({ run, kind: "steps", events: this.#steps });
    this.#steps = [];
  }

  /** Answers what was asked, one after the other. */
  #answer(): Promise<void> {
    const asked = this.#asked.splice(0);
    const next = this.#answering.then(async () => {
      for (const request of asked) this.#post(await this.#predictions(request));
    });
    this.#answering = next;
    return next;
  }

  async #predictions({ run, id, inputs }: PredictRequest): Promise<Reply> {
    try {
      const model = this.#subject?.run === run ? this.#subject.model : undefined;
      if (!model) {
        throw new SettingError(
          "predict needs a run whose model this worker holds: one that has started, or the last that ended.",
          { option: "worker" },
        );
      }
      const { step } = model;
      const predictor = await this.#predictorOf(`${run} ${step}`, model);
      return { run, kind: "predictions", id, outputs: await predictor.predict(inputs), step };
    } catch (error) {
      return { run, kind: "error", id, error: plainError(error) };
    }
  }

  async #predictorOf(of: string, { file, options }: NonNullable<Subject["model"]>): Promise<Predictor> {
    const known = this.#predictor;
    if (known?.of === of) return known.ready;
    const ready = file().then((bytes) => openPredictor(bytes, options));
    this.#predictor = { of, ready };
    await known?.ready.then(
      (predictor) => predictor.release(),
      () => undefined,
    );
    return ready;
  }
}

function isFiles(model: TrainRequest["options"]["model"] | undefined): model is ModelFiles {
  return typeof model === "object" && "files" in model;
}

/** A model of a page's files. @throws as `openModel` and `withHead` */
async function openFiles({ files, head }: ModelFiles): Promise<Model> {
  const { openModel } = await import("../storage/open-model.ts");
  const model = await openModel(files);
  if (!head) return model;
  const { withHead } = await import("../objective/heads/with-head.ts");
  return withHead(model, head);
}
