/** The panel of one's own model: files that somebody drops are read, trained and kept in this page, and nowhere else. */
import type { TrainEvent } from "forwardgrad";
import { type DroppedFile, droppedFiles, trainInWorker, type WorkerTraining } from "forwardgrad/web";
import { type Curves, LiveCurves, noCurves, openCurves } from "../curves.ts";
import { onFiles } from "../drops.ts";
import { element, onPress, say } from "../elements.ts";
import { saveFile } from "../save-file.ts";
import type { Answers, Question, ReadData, Told } from "./asked.ts";
import { type Choices, runOptions } from "./choices.ts";
import {
  choose,
  chooseByAddress,
  chosen,
  describeFiles,
  describeRun,
  offerColumns,
  onChoice,
  showLines,
} from "./form.ts";
import { withPlaces } from "./hints.ts";
import { findKept, forget, keepFiles, keepState, type RunFiles, runName } from "./kept.ts";
import { countedOf, score, shownOf, showPredictions } from "./predictions.ts";
import recorded from "./recorded.json";

let worker = openWorker();
const draw = openCurves(element("own-chart", HTMLElement), { share: "accuracy" });
let files: RunFiles = { model: [], data: [] };
/** Of a model that could not be read: more of its files may follow. */
let parts: readonly DroppedFile[] = [];
let seen: Answers["look"] = { model: undefined, data: undefined };
let data: ReadData | undefined;
/** What the model says of the counted examples before it is trained. */
let untrained: Float32Array = new Float32Array();
let stop: AbortController | undefined;
let trained: { readonly bytes: Uint8Array<ArrayBuffer>; readonly name: string } | undefined;
/** What was asked for last: answers to what was asked before are left alone. */
let asked = 0;
/** A worker trains one run at a time. */
let last: Promise<unknown> = Promise.resolve();

function openWorker(): Worker {
  return new Worker(new URL("worker.js", document.baseURI), { type: "module" });
}

/** @throws Error with the library's words */
function ask<Kind extends Question["kind"]>(
  question: Extract<Question, { kind: Kind }>,
): Promise<Answers[Kind]> {
  const own = ++asked;
  const from = worker;
  return new Promise((resolve, reject) => {
    const hear = ({ data: told }: MessageEvent<Partial<Told> | null>) => {
      if (told?.own !== own) return;
      from.removeEventListener("message", hear);
      if (told.problem === undefined) resolve(told.answer as Answers[Kind]);
      else reject(new Error(told.problem));
    };
    from.addEventListener("message", hear);
    from.postMessage({ own, question });
  });
}

function complain(error: unknown): void {
  say("own-error", withPlaces(error instanceof Error ? error.message : String(error)));
}

const isData = ({ path }: DroppedFile) =>
  /\.(csv|tsv|txt|jsonl?|ndjson|npz|npy|zip|png|apng|jpe?g|gif|webp)(\.gz)?$/i.test(path);

/** Takes what was dropped or chosen: a model, data, or both. */
async function take(dropped: readonly DroppedFile[]): Promise<void> {
  const fresh = { model: dropped.filter((file) => !isData(file)), data: dropped.filter(isData) };
  const isTokenizer = fresh.data.every(({ path }) => /tokenizer(_config)?\.json$/i.test(path));
  const has = (parts: readonly DroppedFile[], { path }: DroppedFile) =>
    parts.some((part) => part.path === path);
  const isModel = fresh.model.some(({ path }) => /\.onnx$/i.test(path));
  const beside = (old: readonly DroppedFile[], own: readonly DroppedFile[]) => [
    ...old.filter((file) => !has(own, file)),
    ...own,
  ];
  files = {
    // Data files may follow their model, and a tokenizer its texts.
    model:
      isModel || (parts.length === 0 && files.model.length === 0)
        ? fresh.model
        : beside(fresh.model.length > 0 && parts.length > 0 ? parts : files.model, fresh.model),
    data: isTokenizer ? beside(files.data, fresh.data) : fresh.data,
  };
  await understand();
}

/** Reads the files, and says what would be trained. */
function understand(isKnown = false): Promise<void> {
  const next = last.then(async () => {
    say("own-error", "");
    data = undefined;
    showButtons();
    say("own-state", "reading …");
    try {
      if (!isKnown) {
        await look();
      }
      showLines(describeFiles(seen));
      if (seen.model && seen.data) await plan(chosen());
      say(
        "own-state",
        seen.model ? (seen.data ? "Ready to train." : "Data are missing.") : "A model is missing.",
      );
    } catch (error) {
      data = undefined;
      complain(error);
      say("own-state", "");
    }
    showButtons();
  });
  last = next;
  return next;
}

/** Looks at the model and the data, each for itself: what is wrong with one is not said again when the other one follows. */
async function look(): Promise<void> {
  const { model, data: examples } = files;
  const problems: unknown[] = [];
  const seenOf = (question: RunFiles) =>
    ask({ kind: "look", ...question }).catch((error: unknown) => {
      problems.push(error);
      return { model: undefined, data: undefined };
    });
  seen = {
    model: (await seenOf({ model, data: [] })).model,
    data: (await seenOf({ model: [], data: examples })).data,
  };
  if (model.length > 0) parts = seen.model ? [] : model;
  files = { model: seen.model ? model : [], data: seen.data ? examples : [] };
  offerColumns(seen);
  showLines(describeFiles(seen));
  if (problems.length > 0) throw problems[0];
}

async function plan(choices: Choices): Promise<void> {
  if (!seen.model || !seen.data) return;
  const read = await ask({ kind: "read", ...files, reading: choices });
  const options = runOptions(files.model, seen.model, read, choices);
  // A run of no steps says what it would do, and answers as the model does before it is trained.
  const still = trainInWorker(worker, { ...options, test: undefined, steps: 0 });
  for await (const event of still) {
    if (event.kind !== "start") continue;
    const held = Math.min(5000, Math.floor(read.train.count / 10));
    const steps = Math.round(Math.floor((read.train.count - held) / event.batch) * choices.epochs);
    const warnings = read.warnings.map((words): [string, string] => ["Warning", withPlaces(words)]);
    const lines = describeRun(seen.data.name, read, { ...event, steps });
    showLines([...describeFiles(seen).filter(([name]) => name !== "Data"), ...lines, ...warnings]);
    untrained = (await still.predict(countedOf(read))).outputs.data as Float32Array;
    break;
  }
  data = read;
}

/** What a run needs to be shown. */
interface Showing {
  readonly read: ReadData;
  readonly live: LiveCurves;
  readonly before: ArrayLike<number>;
  keep(): Promise<void>;
}

async function train(resumed?: {
  readonly before: readonly number[];
  readonly curves: Curves;
}): Promise<void> {
  const [read, { model }, choices] = [data, seen, chosen()];
  if (!read || !model) return;
  stop = new AbortController();
  trained = undefined;
  showButtons();
  say("own-state", "starting …");
  const live = new LiveCurves(resumed?.curves ?? noCurves(), 1, () => draw(live.curves, noCurves()));
  const showing: Showing = {
    ...{ read, live, before: resumed?.before ?? untrained },
    keep: async () => undefined,
  };
  const isKept = resumed !== undefined || (await keep());
  if (isKept) {
    const paths = (list: readonly DroppedFile[]) => list.map(({ path }) => path);
    showing.keep = () =>
      keepState({
        ...{ model: paths(files.model), data: paths(files.data), choices, curves: live.curves },
        before: Array.from(showing.before),
      });
  }
  const training = trainInWorker(worker, {
    ...runOptions(files.model, model, read, choices),
    signal: stop.signal,
    ...(isKept && { store: runName, checkpointSeconds: 2, resume: true }),
  });
  for await (const event of training) await follow(event, training, showing);
}

/** Whether the files could be kept; the run goes on without, where there is no room. */
async function keep(): Promise<boolean> {
  try {
    files = await keepFiles(files);
    return true;
  } catch (error) {
    if ((error as Error).message.includes("another tab")) throw error;
    complain(`The run cannot be kept over a reload (${(error as Error).message}); it trains all the same.`);
    return false;
  }
}

async function follow(event: TrainEvent, training: WorkerTraining, showing: Showing): Promise<void> {
  const { read, live } = showing;
  if (event.kind === "start") {
    live.every = Math.max(1, Math.ceil(event.steps / 200));
    // Points behind the checkpoint are computed again.
    const { steps, losses, shares } = live.curves;
    const sound = steps.filter((step) => step <= event.step).length;
    for (const list of [steps, losses, shares]) list.length = sound;
    if (event.step === 0) show(showing, showing.before, 0);
    await showing.keep();
  }
  if (event.kind === "step") {
    live.take(event.step, event.loss, undefined);
    say("own-state", `step ${event.step} of ${event.steps}: loss ${event.loss.toFixed(3)}`);
  }
  if (event.kind === "epoch" || event.kind === "done") {
    const said = await training.predict(countedOf(read));
    show(showing, said.outputs.data as Float32Array, said.step);
    await showing.keep();
  }
  if (event.kind === "warning") say("own-error", event.message);
  if (event.kind === "done" || event.kind === "interrupted")
    trained = { bytes: event.model, name: seen.model?.name ?? "model" };
  if (event.kind === "interrupted")
    say("own-state", `stopped after step ${event.step}; “Go on”, above, continues it, and Train starts anew`);
  if (event.kind === "done") {
    const { testAccuracy, testLoss, steps } = event.result;
    const measured =
      testAccuracy === undefined
        ? `loss ${testLoss?.toPrecision(3)}`
        : `${(100 * testAccuracy).toFixed(1)} % right`;
    say("own-state", `done, ${steps} steps; all ${read.test.count} test examples: ${measured}`);
  }
}

/** Both answers of the model, in words, in the table, and as a point of the curve. */
function show({ read, live, before }: Showing, now: ArrayLike<number>, step: number): void {
  const [old, fresh] = [score(read, before), score(read, now)];
  say("own-story", "your run");
  say("own-before", old.words);
  say("own-now", fresh.words);
  showPredictions(shownOf(read, before, now));
  if (read.classes > 0) live.measured(step, fresh.value);
}

async function run(resumed?: { readonly before: readonly number[]; readonly curves: Curves }): Promise<void> {
  say("own-error", "");
  try {
    await train(resumed);
  } catch (error) {
    complain(error);
    say("own-state", "");
    if ((error as { device?: unknown }).device === "worker") worker = openWorker();
  }
  stop = undefined;
  showButtons();
  await showKept();
}

function showButtons(): void {
  const button = element("own-train", HTMLButtonElement);
  button.textContent = stop ? "Stop" : "Train";
  button.disabled = !data;
  element("own-save", HTMLButtonElement).disabled = !trained;
  for (const field of document.querySelectorAll<HTMLSelectElement | HTMLInputElement>(
    "#own-form :is(select, input)",
  ))
    field.disabled = stop !== undefined;
  if (stop) element("own-kept", HTMLElement).hidden = true;
}

/** Offers to go on with what an earlier page left. */
async function showKept(): Promise<void> {
  const kept = stop ? undefined : await findKept();
  element("own-kept", HTMLElement).hidden = !kept;
  if (!kept) return;
  const { model, data: names } = kept.state;
  const step = kept.state.curves.steps.at(-1) ?? 0;
  say(
    "own-kept-words",
    `A run of ${model[0]} on ${names[0]} is kept in this browser, ${step} steps at least.`,
  );
}

async function goOn(): Promise<void> {
  const kept = await findKept();
  if (!kept) return;
  const { state } = kept;
  files = kept.files;
  seen = { model: undefined, data: undefined };
  await last;
  say("own-error", "");
  try {
    await look();
    choose(state.choices);
    await understand(true);
    if (data) await run(state);
  } catch (error) {
    complain(error);
  }
}

async function takeExample(): Promise<void> {
  const names = ["digits.onnx", "turned-digits.csv"];
  const fetched = names.map(async (path): Promise<DroppedFile> => {
    const response = await fetch(new URL(`example/${path}`, document.baseURI));
    return { path, file: await response.blob() };
  });
  await take(await Promise.all(fetched));
}

function showRecorded(): void {
  const { steps, losses, shares } = recorded;
  draw(noCurves(), { steps, losses, shares });
  say("own-before", recorded.before);
  say("own-now", recorded.now);
  showPredictions(recorded.shown);
}

/** Drops and choices, by the library's reader of both. */
function listen(): void {
  onFiles(element("own", HTMLElement), ["own-files", "own-folder"], (given) => {
    if (stop) return say("own-error", "A run is under way: stop it, then give other files.");
    droppedFiles(given)
      .then(({ files: all }) => take(all))
      .catch(complain);
  });
  onPress("own-example", () => {
    if (!stop) takeExample().catch(complain);
  });
  onPress("own-train", () => {
    if (stop) stop.abort();
    else void run();
  });
  onPress("own-save", () => {
    if (trained) saveFile(`${trained.name.replace(/\.onnx$/, "")}-trained.onnx`, trained.bytes);
  });
  onPress("own-go-on", () => void goOn());
  onPress("own-forget", () => void forget().then(showKept, complain));
  onChoice(() => {
    if (seen.model && seen.data && !stop) void understand(true);
  });
}

chooseByAddress();
listen();
showRecorded();
void showKept();
element("own", HTMLElement).dataset.open = "";
