// Pictures of another kind than those that a model was trained on: digits turned or inverted.

/** By how much pictures are turned. */
export const degrees = 45;

/** Examples of 28×28 pixels, turned by 45° about their middle, bilinear, black outside. */
export const rotated = (examples) => {
  const inputs = new Uint8Array(examples.inputs.length);
  for (let start = 0; start < inputs.length; start += 784)
    rotate(examples.inputs.subarray(start, start + 784), inputs.subarray(start, start + 784));
  return { ...examples, inputs };
};

/** Examples with black for white. */
export const inverted = (examples) => ({ ...examples, inputs: examples.inputs.map((pixel) => 255 - pixel) });

/** Turns a 28×28 image about its middle, bilinear, black outside. */
function rotate(from, to) {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const pixel = (row, column) =>
    row >= 0 && row < 28 && column >= 0 && column < 28 ? from[28 * row + column] : 0;
  for (let place = 0; place < 784; place++) {
    const [y, x] = [Math.floor(place / 28) - 13.5, (place % 28) - 13.5];
    const [row, column] = [13.5 + cos * y - sin * x, 13.5 + sin * y + cos * x];
    const [top, left] = [Math.floor(row), Math.floor(column)];
    const [down, right] = [row - top, column - left];
    const upper = (1 - right) * pixel(top, left) + right * pixel(top, left + 1);
    const lower = (1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1);
    to[place] = Math.round((1 - down) * upper + down * lower);
  }
}
