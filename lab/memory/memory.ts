/** The panel of memory: what stays alive at depth L, for backpropagation and for forward passes. */
import { isWhole, settings } from "../address.ts";
import { color, drawn } from "../canvas.ts";
import { element, isStill, onPress, say } from "../elements.ts";

const address = settings("memory", { L: 24, c: 1 }, (name, value) =>
  isWhole(value, name === "L" ? 2 : 1, name === "L" ? 64 : 16),
);

/** Layers whose values backpropagation holds at a moment: all that were reached, less those that the way back has freed. */
const heldBack = (layers: number, moment: number) => Math.min(moment, 2 * layers - moment);
/** Layers whose values a forward pass holds: the one that is read and the one that is written; none when it is done. */
const heldForward = (layers: number, moment: number) => (moment > layers ? 0 : Math.min(2, moment));

let chosen = address.read();
/** Layers passed, on the way there and back. */
let moment = chosen.L;
let timer: number | undefined;
const layers = element("memory-L", HTMLInputElement);
const chunk = element("memory-c", HTMLInputElement);
const when = element("memory-moment", HTMLInputElement);

const redraw = drawn(element("memory-canvas", HTMLCanvasElement), (context, width, height) => {
  const { L, c } = chosen;
  const gap = L > 40 ? 1 : 2;
  const wide = (width - gap * (L - 1)) / L;
  const high = Math.min(44, height / 2 - 34);
  context.font = "13px system-ui, sans-serif";
  const forward = heldForward(L, moment);
  const rows = [
    {
      words: `backpropagation: ${heldBack(L, moment)} alive`,
      fill: "mean",
      from: 0,
      held: heldBack(L, moment),
    },
    {
      words: `forward pass: ${forward * (1 + c)} alive${moment > L ? ", done" : ""}`,
      fill: "projection",
      from: moment - forward,
      held: forward,
    },
  ];
  for (const [row, { words, fill, from, held }] of rows.entries()) {
    const top = row * (height / 2) + 22;
    context.fillStyle = color("ink");
    context.fillText(words, 0, top - 7);
    for (let layer = 0; layer < L; layer++) {
      const x = layer * (wide + gap);
      context.strokeStyle = color("rule");
      context.strokeRect(x + 0.5, top + 0.5, wide - 1, high);
      if (layer < from || layer >= from + held) continue;
      context.fillStyle = color(fill);
      context.fillRect(x, top, wide, high);
    }
  }
});

function show(): void {
  const { L, c } = chosen;
  layers.value = String(L);
  chunk.value = String(c);
  when.max = String(2 * L);
  when.value = String(moment);
  say("memory-L-value", String(L));
  say("memory-c-value", String(c));
  say("memory-moment-value", moment <= L ? `layer ${moment}` : `back at ${2 * L - moment}`);
  say("memory-depth", String(L));
  say("memory-back", String(L));
  say("memory-forward", String(2 * (1 + c)));
  redraw();
}

function choose(change: Partial<typeof chosen>): void {
  stop();
  chosen = { ...chosen, ...change };
  moment = chosen.L;
  address.write(chosen);
  show();
}

function stop(): void {
  clearInterval(timer);
  timer = undefined;
  say("memory-play", "Play");
}

function play(): void {
  if (timer !== undefined) {
    stop();
    return;
  }
  const end = 2 * chosen.L;
  if (moment === end) moment = 0;
  if (isStill()) {
    // A quarter of the way with each press.
    moment = Math.min(end, moment + Math.ceil(chosen.L / 2));
    show();
    return;
  }
  timer = window.setInterval(
    () => {
      moment++;
      show();
      if (moment >= end) stop();
    },
    Math.max(40, 4000 / end),
  );
  say("memory-play", "Pause");
}

layers.addEventListener("input", () => choose({ L: Number(layers.value) }));
chunk.addEventListener("input", () => choose({ c: Number(chunk.value) }));
when.addEventListener("input", () => {
  stop();
  moment = Number(when.value);
  show();
});
onPress("memory-play", play);
show();
