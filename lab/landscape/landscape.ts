/** The panel of a landscape: what k directions know of a slope, and where it leads. */
import { type FunctionName, functions } from "forwardgrad/studies";
import { isWhole, settings } from "../address.ts";
import { drawn } from "../canvas.ts";
import { element, isStill, onPress, say } from "../elements.ts";
import { Descents } from "./descents.ts";
import { Camera, drawArrows, paintGround } from "./draw.ts";
import { degrees, dot, estimate, type MethodName, methods, type Pair } from "./estimates.ts";

const address = settings(
  "landscape",
  { f: "styblinski-tang", k: 1, seed: 3, show: "projection", steps: 0, x: "", y: "" },
  (name, value) =>
    name === "f"
      ? Object.hasOwn(functions, value)
      : name === "show"
        ? (methods as readonly unknown[]).includes(value)
        : name === "x" || name === "y"
          ? value !== "" && Number.isFinite(Number(value))
          : isWhole(value, name === "k" ? 1 : 0, name === "k" ? 8 : name === "steps" ? 20_000 : 2 ** 32),
);

/** Sets the panel up. */
export function openLandscape(): void {
  let chosen = address.read();
  let descents: Descents;
  let ground: { readonly key: string; readonly picture: HTMLCanvasElement } | undefined;
  let timer: number | undefined;
  const canvas = element("landscape-canvas", HTMLCanvasElement);
  const names = element("landscape-f", HTMLSelectElement);
  const count = element("landscape-k", HTMLInputElement);
  const sliders = ["x", "y"].map((axis) => element(`landscape-${axis}`, HTMLInputElement));
  for (const { name, title } of Object.values(functions)) names.add(new Option(title, name));

  const camera = (width: number, height: number) => new Camera(descents.fn.view, width, height);
  const walker = () => descents.walkers.find(({ method }) => method === chosen.show) ?? descents.walkers[0];
  const redraw = drawn(canvas, (context, width, height) => {
    const shown = walker();
    if (!shown) return;
    const view = camera(width, height);
    const key = `${descents.fn.name} ${width} ${height} ${matchMedia("(prefers-color-scheme: dark)").matches}`;
    if (ground?.key !== key) ground = { key, picture: paintGround(descents, view, width, height) };
    context.drawImage(ground.picture, 0, 0, width, height);
    drawArrows(context, view, descents, shown, Math.min(width, height) / 4.5);
  });

  /** Starts anew from what is chosen. */
  const begin = () => {
    const start: Pair | undefined = chosen.x && chosen.y ? [Number(chosen.x), Number(chosen.y)] : undefined;
    descents = new Descents(chosen.f as FunctionName, chosen.k, chosen.seed, start);
    while (descents.steps < chosen.steps) descents.step();
    const { view } = descents.fn;
    for (const [index, input] of sliders.entries()) {
      const [least, most] = index === 0 ? view.x : view.y;
      const value = descents.walkers[0]?.trail[0]?.[index] ?? 0;
      [input.min, input.max, input.step] = [least, most, (most - least) / 120].map(String) as [
        string,
        string,
        string,
      ];
      input.value = String(value);
      say(`${input.id}-value`, String(Number(value.toPrecision(3))));
    }
    names.value = chosen.f;
    count.value = String(chosen.k);
    show();
  };
  const choose = (change: Partial<typeof chosen>) => {
    chosen = { ...chosen, ...change };
    address.write(chosen);
    begin();
  };
  const show = () => {
    const tangents = descents.tangents();
    for (const each of descents.walkers) {
      const at = descents.at(each);
      const gradient = descents.gradient(at);
      const found = estimate(each.method, tangents, gradient);
      const angle = degrees(found, gradient);
      const share = Math.sqrt(dot(found, found) / dot(gradient, gradient));
      const row = element(`landscape-${each.method}`, HTMLTableRowElement);
      [`${angle.toFixed(0)}°`, share.toFixed(2), descents.value(at).toPrecision(3)].forEach((text, index) => {
        (row.cells[index + 1] as HTMLElement).textContent =
          Number.isFinite(share) || index === 2 ? text : "–";
      });
      element(`landscape-show-${each.method}`, HTMLInputElement).checked = each === walker();
      if (each.method === chosen.show)
        say("landscape-angle", `${angle.toFixed(0)}° off, ${share.toFixed(2)} times as long`);
    }
    const { k } = chosen;
    say("landscape-k-value", String(k));
    say("landscape-who", k === 1 ? "one direction" : `${k} directions`);
    say("landscape-span", k === 1 ? "a line" : "the whole plane, so the projection is ∇f itself");
    say("landscape-steps", String(descents.steps));
    say("landscape-formula", descents.fn.formula);
    redraw();
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    say("landscape-play", "Play");
    chosen = { ...chosen, steps: Math.min(descents.steps, 20_000) };
    address.write(chosen);
  };
  const advance = (steps: number) => {
    for (let left = steps; left > 0; left--) descents.step();
    show();
  };
  const play = () => {
    if (timer !== undefined) return stop();
    if (isStill()) {
      advance(descents.fn.view.steps / 10);
      return stop();
    }
    const isSlow = element("landscape-slow", HTMLInputElement).checked;
    const steps = isSlow ? 1 : Math.max(1, Math.round(descents.fn.view.steps / 400));
    timer = window.setInterval(
      () => {
        advance(steps);
        if (descents.steps >= descents.fn.view.steps) stop();
      },
      isSlow ? 700 : 40,
    );
    say("landscape-play", "Pause");
  };
  const move = ([x, y]: Pair) => {
    if (timer !== undefined) stop();
    choose({ x: x.toPrecision(4), y: y.toPrecision(4), steps: 0 });
  };

  names.addEventListener("change", () => choose({ f: names.value, x: "", y: "", steps: 0 }));
  count.addEventListener("input", () => choose({ k: Number(count.value), steps: 0 }));
  for (const method of methods)
    element(`landscape-show-${method}`, HTMLInputElement).addEventListener("change", () => {
      chosen = { ...chosen, show: method satisfies MethodName };
      address.write(chosen);
      show();
    });
  onPress("landscape-step", () => {
    advance(1);
    stop();
  });
  onPress("landscape-play", play);
  onPress("landscape-new", () => choose({ seed: chosen.seed + 1, steps: 0 }));
  onPress("landscape-reset", () => {
    stop();
    choose({ x: "", y: "", steps: 0 });
  });
  const follow = (event: PointerEvent) => {
    const { clientWidth, clientHeight } = canvas;
    move(camera(clientWidth, clientHeight).toPlane([event.offsetX, event.offsetY]));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    follow(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) follow(event);
  });
  for (const [index, input] of sliders.entries())
    input.addEventListener("input", () => {
      const [x, y] = descents.walkers[0]?.trail[0] ?? [0, 0];
      const value = Number(input.value);
      move(index === 0 ? [value, y] : [x, value]);
    });
  begin();
}
