/** Random numbers that a seed repeats: the case of a seed, a part and a number is always the same. */
export function randomFor(...parts) {
  // FNV-1a over the text, then the generator "mulberry32".
  let state = 0x811c9dc5;
  for (const code of parts.join("/")) state = Math.imul(state ^ code.codePointAt(0), 0x01000193) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(next() * count);
  return {
    next,
    below,
    between: (low, high) => low + next() * (high - low),
    pick: (list) => list[below(list.length)],
  };
}
