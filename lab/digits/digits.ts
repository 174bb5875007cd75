/** The panel of digits: a network learns to read them in a worker of this page, without a backward pass. */
import { mlp } from "forwardgrad";
import { trainInWorker, type WorkerTraining } from "forwardgrad/web";
import { isWhole, settings } from "../address.ts";
import { type Curves, LiveCurves, noCurves, openCurves } from "../curves.ts";
import { element, onPress, say } from "../elements.ts";
import { saveFile } from "../save-file.ts";
import { showConfusion } from "./confusion.ts";
import { counts, epochs, every, hidden } from "./counts.ts";
import { drawnDigits } from "./drawn.ts";
import { openPad } from "./pad.ts";
import { type Reading, readings } from "./pictures.ts";
import recorded from "./recorded.json";
import { asCode, asCommand, type Chosen, chosenOptions } from "./run-texts.ts";

const estimator = element("digits-estimator", HTMLSelectElement);
const count = element("digits-k", HTMLInputElement);
const rate = element("digits-rate", HTMLInputElement);
const device = element("digits-device", HTMLSelectElement);
const address = settings<Chosen>(
  "digits",
  { estimator: "activations", k: 16, rate: 0, device: "wasm" },
  (name, value) =>
    name === "estimator" || name === "device"
      ? Array.from({ estimator, device }[name].options, (option) => option.value).includes(String(value))
      : name === "k"
        ? isWhole(value, 1, 64)
        : typeof value === "number" && value > 0 && value < 100,
);

const worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
const behind: Curves = {
  steps: recorded.losses.map((_, index) => every * (index + 1)),
  losses: recorded.losses,
  shares: recorded.cosines,
};
const chart = openCurves(element("digits-chart", HTMLElement), { share: "cosine", mostLoss: 2.5 });
chart(noCurves(), behind);
let chosen: Chosen = address.read();
let training: WorkerTraining | undefined;
let stop: AbortController | undefined;
let model: Uint8Array<ArrayBuffer> | undefined;
/** What a step sends to a graphics card, and what comes back. */
let crossed = "";

function showRecorded(): void {
  const known = recorded.misread.map(({ label, read, pixels }) => ({
    ...{ label, read },
    pixels: Uint8Array.from(atob(pixels), (byte) => byte.charCodeAt(0)),
  }));
  const right = recorded.labels.map(
    (all, label) => all - known.filter((each) => each.label === label).length,
  );
  showConfusion(right, known);
  say("digits-read", `${((100 * (counts.test - known.length)) / counts.test).toFixed(1)} %`);
  say("digits-cosine", (recorded.cosines.at(-1) ?? 0).toFixed(2));
  say("digits-which", "a recorded run");
}

function showReadings(all: readonly Reading[]): void {
  const isRight = ({ label, read }: Reading) => label === read;
  const right = Array.from(
    { length: 10 },
    (_, label) => all.filter((each) => each.label === label && isRight(each)).length,
  );
  showConfusion(right, all);
  say("digits-read", `${((100 * all.filter(isRight).length) / all.length).toFixed(1)} %`);
}

/** Shows the steps that came since the last frame. */
function follow(): LiveCurves {
  const live = new LiveCurves(noCurves(), every, () => {
    const { steps, losses, shares } = live.curves;
    chart(live.curves, behind);
    say("digits-state", `step ${steps.at(-1)}: loss ${losses.at(-1)?.toFixed(3)}${crossed}`);
    const cosine = shares.at(-1) ?? null;
    if (cosine !== null) say("digits-cosine", cosine.toFixed(2));
  });
  return live;
}

async function run(): Promise<void> {
  stop = new AbortController();
  say("digits-train", "Stop");
  say("digits-state", "drawing digits …");
  const { train, test, normalization } = await drawnDigits(worker);
  if (test.inputs instanceof Float32Array) throw new TypeError("Digits are drawn in bytes.");
  const inputs = test.inputs;
  say("digits-state", "loading the engine …");
  training = trainInWorker(worker, {
    model: mlp({ input: [1, 28, 28], hidden: [hidden], outputs: 10, normalization }),
    ...{ examples: train, epochs, signal: stop.signal },
    // What is compared is the exact gradient itself.
    ...(chosen.estimator !== "exact" && { quality: { every } }),
    ...chosenOptions(chosen),
    runtime: { device: chosen.device, wasmPaths: new URL("engine/", document.baseURI).href },
  });
  say("digits-which", "your run");
  crossed = "";
  say("digits-cosine", chosen.estimator === "exact" ? "1" : "…");
  const live = follow();
  for await (const event of training) {
    if (event.kind === "step") {
      const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;
      const { up, down } = event.transferred ?? {};
      // A step that is compared reads its gradients.
      if (up && down && !event.quality)
        crossed = `; to the card and back, ${kilobytes(up)} and ${kilobytes(down)}`;
      live.take(event.step, event.loss, event.quality?.cosine);
    }
    if (event.kind === "epoch" || event.kind === "interrupted") {
      const { outputs } = await training.predict(inputs);
      showReadings(readings(outputs.data as Float32Array, test.labels, inputs));
      await readPad();
    }
    if (event.kind === "interrupted") say("digits-state", `stopped after step ${event.step}`);
    if (event.kind === "done" || event.kind === "interrupted") {
      model = event.model;
      element("digits-save", HTMLButtonElement).disabled = false;
    }
  }
}

async function press(): Promise<void> {
  if (stop) return stop.abort();
  try {
    await run();
  } catch (error) {
    training = undefined;
    say("digits-state", error instanceof Error ? error.message : String(error));
  }
  stop = undefined;
  say("digits-train", "Train again");
}

const pad = openPad(element("digits-pad", HTMLCanvasElement), () => void readPad());

/** Asks the model what it reads on the pad. */
async function readPad(): Promise<void> {
  const isEmpty = pad.pixels.every((ink) => ink === 0);
  if (!training || isEmpty) {
    say("digits-guess", isEmpty ? "nothing is drawn yet" : "train first");
    return;
  }
  const { outputs } = await training.predict(pad.pixels.slice());
  const logits = Array.from(outputs.data as Float32Array);
  const largest = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - largest));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const ranked = shares
    .map((share, digit) => ({ digit, share: share / total }))
    .sort((a, b) => b.share - a.share);
  const texts = ranked
    .filter(({ share }, index) => index === 0 || share > 0.005)
    .slice(0, 3)
    .map(({ digit, share }) => `${digit} (${(100 * share).toFixed(0)} %)`);
  say("digits-guess", texts.join(", "));
}

function show(): void {
  estimator.value = chosen.estimator;
  count.value = String(chosen.k);
  count.disabled = chosen.estimator === "exact";
  say("digits-k-value", String(chosen.k));
  rate.value = chosen.rate > 0 ? String(chosen.rate) : "";
  device.value = chosen.device;
}

function choose(change: Partial<Chosen>): void {
  chosen = { ...chosen, ...change } as Chosen;
  address.write(chosen);
  show();
}

/** Copies a text, or where that is not allowed, shows it to be copied. */
async function copy(text: string): Promise<void> {
  const box = element("digits-text", HTMLTextAreaElement);
  box.hidden = false;
  box.value = text;
  box.select();
  await navigator.clipboard?.writeText(text).then(
    () => say("digits-copied", "Copied."),
    () => say("digits-copied", "Select and copy:"),
  );
}

estimator.addEventListener("change", () => choose({ estimator: estimator.value }));
count.addEventListener("input", () => choose({ k: Number(count.value) }));
device.addEventListener("change", () => choose({ device: device.value as Chosen["device"] }));
rate.addEventListener("change", () => choose({ rate: Math.max(0, Number(rate.value)) || 0 }));
onPress("digits-train", () => void press());
onPress("digits-command", () => void copy(asCommand(chosen)));
onPress("digits-code", () => void copy(asCode(chosen)));
onPress("digits-clear", () => pad.set());
onPress("digits-next", () => {
  void drawnDigits(worker).then(({ test }) => {
    const index = Math.floor(Math.random() * test.count);
    pad.set((test.inputs as Uint8Array).slice(784 * index, 784 * (index + 1)));
  });
});
onPress("digits-save", () => {
  if (model) saveFile("digits.onnx", model);
});
show();
showRecorded();
void readPad();
element("digits", HTMLElement).dataset.open = "";
