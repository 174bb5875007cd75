/** Pictures of digits: 28 × 28 bytes of ink, on canvases. */

/** One digit, what it is, and what it was read as. */
export interface Reading {
  readonly label: number;
  readonly read: number;
  /** [784] */
  readonly pixels: Uint8Array;
}

/** Dark ink on white paper, whatever the theme. */
export function paint(canvas: HTMLCanvasElement, pixels: Uint8Array): void {
  canvas.width = canvas.height = 28;
  const image = new ImageData(28, 28);
  const words = new Uint32Array(image.data.buffer);
  for (let index = 0; index < words.length; index++)
    words[index] = 0xff000000 | ((255 - (pixels[index] ?? 0)) * 0x010101);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** A canvas of one digit. */
export function picture(pixels: Uint8Array): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.className = "digit";
  paint(canvas, pixels);
  return canvas;
}

/** A digit with its two numbers. */
export function figure({ label, read, pixels }: Reading): HTMLElement {
  const shown = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = label === read ? `${label}` : `${label}, read ${read}`;
  shown.append(picture(pixels), caption);
  return shown;
}

/** Predictions of inputs against their labels. @param logits [count, 10] @param inputs [count, 784] */
export function readings(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  inputs: Uint8Array,
): Reading[] {
  return Array.from(labels, (label, index) => {
    let read = 0;
    for (let digit = 1; digit < 10; digit++)
      if (Number(logits[10 * index + digit]) > Number(logits[10 * index + read])) read = digit;
    return { label, read, pixels: inputs.subarray(784 * index, 784 * (index + 1)) };
  });
}
