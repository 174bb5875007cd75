import type { Picture } from "./picture.ts";

/**
 * Resizes a picture, each axis by itself: bilinear interpolation where it grows, and where it shrinks the same triangle
 * stretched over all pixels that fall into one (as Pillow's BILINEAR), so that nothing is skipped. The aspect ratio is
 * not kept.
 */
export function resize(picture: Picture, width: number, height: number): Picture {
  if (picture.width === width && picture.height === height) return picture;
  const { channels } = picture;
  const across = triangles(picture.width, width);
  const down = triangles(picture.height, height);
  const narrow = new Float64Array(picture.height * width * channels);
  for (let row = 0; row < picture.height; row++)
    for (const [column, { first, weights }] of across.entries())
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (const [index, weight] of weights.entries())
          sum +=
            weight * (picture.data[(row * picture.width + first + index) * channels + channel] as number);
        narrow[(row * width + column) * channels + channel] = sum;
      }
  const data = new Uint8Array(height * width * channels);
  for (const [row, { first, weights }] of down.entries())
    for (let column = 0; column < width * channels; column++) {
      let sum = 0;
      for (const [index, weight] of weights.entries())
        sum += weight * (narrow[(first + index) * width * channels + column] as number);
      data[row * width * channels + column] = Math.min(255, Math.max(0, Math.round(sum)));
    }
  return { width, height, channels, data };
}

/** For each pixel of the new axis: the first pixel of the old one that it takes from, and the weights from there on. */
function triangles(from: number, to: number): { readonly first: number; readonly weights: number[] }[] {
  const ratio = from / to;
  const reach = Math.max(1, ratio);
  return Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * ratio;
    const first = Math.max(0, Math.floor(center - reach + 0.5));
    const end = Math.min(from, Math.floor(center + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, offset) =>
      Math.max(0, 1 - Math.abs((first + offset + 0.5 - center) / reach)),
    );
    const total = raw.reduce((sum, weight) => sum + weight);
    return { first, weights: raw.map((weight) => weight / total) };
  });
}
