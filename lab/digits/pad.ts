/** A sheet of 28 × 28 pixels to draw a digit on, with a pointer or from elsewhere. */
import { paint } from "./pictures.ts";

/** The sheet, and what is on it. */
export interface Pad {
  /** Ink, [784]. */
  readonly pixels: Uint8Array;
  /** Puts other ink there; without any, none. */
  set(pixels?: Uint8Array): void;
}

/** @param changed called when the ink has changed, at most once a frame */
export function openPad(canvas: HTMLCanvasElement, changed: () => void): Pad {
  const pixels = new Uint8Array(784);
  let isAsked = false;
  const show = () => {
    paint(canvas, pixels);
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      changed();
    });
  };
  /** A round pen with a soft edge, as wide as the drawn digits' strokes. */
  const dab = (x: number, y: number) => {
    for (let index = 0; index < 784; index++) {
      const distance = Math.hypot((index % 28) + 0.5 - x, Math.floor(index / 28) + 0.5 - y);
      const ink = Math.round(255 * Math.min(1, Math.max(0, 1.9 - distance)));
      pixels[index] = Math.max(pixels[index] ?? 0, ink);
    }
  };
  let last: readonly [number, number] | undefined;
  const follow = (event: PointerEvent) => {
    const scale = 28 / canvas.clientWidth;
    const to = [event.offsetX * scale, event.offsetY * scale] as const;
    const from = last ?? to;
    const dabs = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1])) + 1;
    for (let part = 1; part <= dabs; part++)
      dab(from[0] + ((to[0] - from[0]) * part) / dabs, from[1] + ((to[1] - from[1]) * part) / dabs);
    last = to;
    show();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = undefined;
    follow(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) follow(event);
  });
  const set = (given = new Uint8Array(784)) => {
    pixels.set(given);
    show();
  };
  set();
  return { pixels, set };
}
