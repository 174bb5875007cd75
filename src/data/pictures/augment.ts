/** Random crops and flips of training pictures. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { fold, type Key, threefry2x32 } from "../../random/threefry.ts";

/** Random changes of training images [channels, height, width]: first the crop, then the flip. */
export interface Augmentation {
  /** Pads each side with so many black pixels (zeros) and cuts the original size out at a random place. */
  readonly crop?: number;
  /** Mirrors every other image, left to right. */
  readonly flip?: boolean;
}

/**
 * Reads "crop:4,flip", or a part of it.
 * @throws when a step is unknown, given twice, or has no usable number.
 */
export function parseAugmentation(text: string): Augmentation {
  let augmentation: Augmentation = {};
  for (const step of text.split(",").map((part) => part.trim())) {
    const [name, padding] = step.split(":", 2);
    if (name !== "crop" && step !== "flip") {
      throw new SettingError(`augmentation '${step}', expected crop:PIXELS, flip, or both: crop:4,flip`, {
        option: "augment",
      });
    }
    if (augmentation[name as keyof Augmentation] !== undefined) {
      throw new SettingError(
        `augmentation '${name}' is given twice, expected each step once; leave one out`,
        { option: "augment" },
      );
    }
    if (name === "crop" && !/^[1-9]\d{0,3}$/.test(padding ?? "")) {
      throw new SettingError(`augmentation '${step}', expected a number of pixels from 1: crop:4`, {
        option: "augment",
      });
    }
    augmentation =
      name === "crop" ? { ...augmentation, crop: Number(padding) } : { ...augmentation, flip: true };
  }
  return augmentation;
}

/** The text that `parseAugmentation` reads; undefined for no change. */
export function formatAugmentation({ crop, flip }: Augmentation): string | undefined {
  const steps = [crop === undefined ? [] : [`crop:${crop}`], flip ? ["flip"] : []].flat();
  return steps.length === 0 ? undefined : steps.join(",");
}

/** @throws when examples of this shape are no images, or too small for the crop. */
export function checkAugmentation(augmentation: Augmentation, shape: readonly number[]): void {
  const { crop = 0 } = augmentation;
  const [, height = 0, width = 0] = shape;
  const text = formatAugmentation(augmentation);
  if (text !== undefined && shape.length !== 3) {
    throw new SettingError(
      words`The augmentation ${text} changes images, and the examples have the shape [${shape.join(", ")}]; expected
        [channels, height, width]. Leave it out (${option("augment")}).`,
      { option: "augment" },
    );
  }
  if (crop !== 0 && !(Number.isInteger(crop) && crop >= 1 && crop < height && crop < width)) {
    throw new SettingError(
      words`The augmentation crop:${crop} leaves nothing of images of ${height}×${width}; expected a whole number of
        pixels from 1 to less than both. Choose a smaller one (${option("augment")}).`,
      { option: "augment" },
    );
  }
}

/**
 * Changes one example in place: a pure function of the key and the example's index.
 * @param pixels the example, shape[0] × shape[1] × shape[2].
 */
export function augment(
  pixels: Float32Array,
  shape: readonly number[],
  { crop = 0, flip = false }: Augmentation,
  key: Key,
  example: number,
): void {
  const [channels = 1, height = 1, width = 1] = shape;
  const own = fold(key, example);
  const [down, right] = threefry2x32(own, 0, 0);
  const [side] = threefry2x32(own, 1, 0);
  const rows = shift(down, crop);
  const columns = shift(right, crop);
  const isMirrored = flip && side >= 2 ** 31;
  if (rows === 0 && columns === 0 && !isMirrored) return;
  const original = pixels.slice();
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      const start = (channel * height + row) * width;
      const from = row + rows;
      for (let column = 0; column < width; column++) {
        const source = (isMirrored ? width - 1 - column : column) + columns;
        const isInside = from >= 0 && from < height && source >= 0 && source < width;
        pixels[start + column] = isInside
          ? (original[(channel * height + from) * width + source] as number)
          : 0;
      }
    }
  }
}

/** Uniform in −padding … padding, from a random word. */
function shift(word: number, padding: number): number {
  return Math.floor((word * (2 * padding + 1)) / 2 ** 32) - padding;
}
