/**
 * Gram matrices and combinations of signs that are bits, 1 for minus. A product of two tangents is the number of places where both
 * count, less twice the number of those where they differ: whole numbers, so the sums are exact in any order.
 */

/** 64-bit words of a tangent that are looked at together: those of 16 tangents fit into a core's first cache. */
export const blockWords: i32 = 128;

/** 64 bits of a stream from bit `at` on, behind which memory goes on for a word. */
function bitsAt(stream: usize, at: i64): u64 {
  const word = stream + <usize>((at >> 6) << 3);
  const shift = at & 63;
  const low = load<u64>(word) >> shift;
  return shift === 0 ? low : low | (load<u64>(word, 8) << (64 - shift));
}

/** Which of `count` numbers, at most 64, of one example [outer, batch, inner] from number `from` on are not 0. */
function activeBits(values: usize, inner: i32, each: usize, from: i32, count: i32): u64 {
  let bits: u64 = 0;
  let row = from / inner;
  let column = from % inner;
  let at = values + <usize>row * each + ((<usize>column) << 2);
  for (let position = 0; position < count; ) {
    if (column + 4 <= inner && position + 4 <= count) {
      const four = i32x4.bitmask(f32x4.ne(v128.load(at), f32x4.splat(0)));
      bits |= (<u64>four) << position;
      column += 4;
      position += 4;
      at += 16;
    } else {
      bits |= (<u64>(load<f32>(at) !== 0)) << position;
      column++;
      position++;
      at += 4;
    }
    if (column === inner) {
      column = 0;
      row++;
      at = values + <usize>row * each;
    }
  }
  return bits;
}

/**
 * Adds the Gram matrices of one site, one for each example of the batch.
 *
 * @param streams the bits of tangent 0; those of the next one follow `stride` bytes behind
 * @param first the first example's first bit
 * @param each bits from one example to the next: 0 where they share their tangents
 * @param size numbers of one example
 * @param values the site's values [outer, batch, inner], of which a 0 does not count; 0: all count
 * @param grams [batch, k, k] in float64, added to
 * @param active [batch], how many numbers count, added to
 * @param rows room for k + 4 blocks
 */
export function addGrams(
  streams: usize,
  stride: usize,
  k: i32,
  first: i32,
  each: i32,
  size: i32,
  values: usize,
  inner: i32,
  batch: i32,
  grams: usize,
  active: usize,
  rows: usize,
): void {
  const rowBytes = (<usize>blockWords) << 3;
  for (let example = 0; example < batch; example++) {
    const own = <i64>first + <i64>example * each;
    const ownValues = values + ((<usize>example * inner) << 2);
    for (let from = 0; from < size; from += blockWords << 6) {
      const words = min(blockWords, (size - from + 63) >> 6);
      let count = 0;
      for (let word = 0; word < words; word++) {
        const at = from + (word << 6);
        const length = min(64, size - at);
        let mask: u64 = length === 64 ? ~0 : ((<u64>1) << length) - 1;
        if (values !== 0) mask = activeBits(ownValues, inner, (<usize>(batch * inner)) << 2, at, length);
        store<u64>(rows + ((<usize>word) << 3), mask);
        count += <i32>popcnt(mask);
      }
      for (let i = 0; i < k; i++) {
        const stream = streams + <usize>i * stride;
        const row = rows + <usize>(i + 1) * rowBytes;
        for (let word = 0; word < words; word++) {
          const bits = bitsAt(stream, own + from + (word << 6));
          store<u64>(row + ((<usize>word) << 3), bits & load<u64>(rows + ((<usize>word) << 3)));
        }
      }
      addBlock(grams + ((<usize>example * k * k) << 3), k, rows + rowBytes, rowBytes, words, count);
      store<i32>(active + ((<usize>example) << 2), load<i32>(active + ((<usize>example) << 2)) + count);
    }
  }
}

/**
 * Adds what one block of k rows says, of which `count` numbers count. Each row is held against four at a time, which reads its words
 * a quarter as often; behind the last row is room for three more, which say nothing.
 */
function addBlock(gram: usize, k: i32, rows: usize, rowBytes: usize, words: i32, count: i32): void {
  const bytes = (<usize>words) << 3;
  for (let i = 0; i < k; i++) {
    const left = rows + <usize>i * rowBytes;
    add(gram, i * k + i, count);
    for (let j = 0; j < i; j += 4) {
      let right = rows + <usize>j * rowBytes;
      let differing0: u64 = 0;
      let differing1: u64 = 0;
      let differing2: u64 = 0;
      let differing3: u64 = 0;
      for (let at: usize = 0; at < bytes; at += 8) {
        const own = load<u64>(left + at);
        differing0 += popcnt(own ^ load<u64>(right));
        differing1 += popcnt(own ^ load<u64>(right, (<usize>blockWords) << 3));
        differing2 += popcnt(own ^ load<u64>(right, (<usize>blockWords) << 4));
        differing3 += popcnt(own ^ load<u64>(right, (<usize>blockWords * 3) << 3));
        right += 8;
      }
      addPair(gram, k, i, j, count - 2 * <i32>differing0);
      if (j + 1 < i) addPair(gram, k, i, j + 1, count - 2 * <i32>differing1);
      if (j + 2 < i) addPair(gram, k, i, j + 2, count - 2 * <i32>differing2);
      if (j + 3 < i) addPair(gram, k, i, j + 3, count - 2 * <i32>differing3);
    }
  }
}

function addPair(gram: usize, k: i32, i: i32, j: i32, product: i32): void {
  add(gram, i * k + j, product);
  add(gram, j * k + i, product);
}

function add(gram: usize, index: i32, product: i32): void {
  const at = gram + ((<usize>index) << 3);
  store<f64>(at, load<f64>(at) + <f64>product);
}

/** Room of `combine`: two tables of sums, one for each half of 16 tangents, and two arrays for turning bytes round. */
export const combineBytes: i32 = 2 * 1024 + 2 * 256;

/**
 * Writes Σ cᵢ vᵢ of tangents that are signs. Of eight tangents a number's signs are a byte, which stands for one of 256 sums; the
 * bytes of 16 tangents are turned round so that the signs of one number come to stand side by side.
 *
 * @param coefficients [k] in float32, then zeros up to a multiple of 16
 * @param first the first number's bit
 * @param count numbers, at most those of a block
 * @param rows room for 16 blocks
 * @param scratch `combineBytes` of memory
 * @param out [count], and whatever behind it up to a multiple of 128
 */
export function combine(
  streams: usize,
  stride: usize,
  k: i32,
  coefficients: usize,
  first: i32,
  count: i32,
  rows: usize,
  scratch: usize,
  out: usize,
): void {
  const rowBytes = (<usize>blockWords) << 3;
  const turned = scratch + 2048;
  const words = ((count + 127) >> 7) << 1;
  for (let group = 0; group < k; group += 16) {
    fillSums(coefficients + ((<usize>group) << 2), scratch);
    fillSums(coefficients + ((<usize>group + 8) << 2), scratch + 1024);
    for (let i = 0; i < 16; i++) {
      // What is behind the last tangent is multiplied by 0.
      const stream = streams + <usize>min(group + i, k - 1) * stride;
      for (let word = 0; word < words; word++)
        store<u64>(
          rows + <usize>i * rowBytes + ((<usize>word) << 3),
          bitsAt(stream, <i64>first + ((<i64>word) << 6)),
        );
    }
    for (let word: usize = 0; word < <usize>words; word += 2) {
      interleave(rows + (word << 3), rowBytes, turned);
      interleave(turned, 16, turned + 256);
      interleave(turned + 256, 16, turned);
      interleave(turned, 16, turned + 256);
      for (let byte: usize = 0; byte < 16; byte++) {
        const signs = v128.load(turned + 256 + (byte << 4));
        const at = out + (word << 8) + (byte << 5);
        put(i16x8.shl(signs, 7), scratch, at, group);
        put(i16x8.shl(signs, 6), scratch, at + 4, group);
        put(i16x8.shl(signs, 5), scratch, at + 8, group);
        put(i16x8.shl(signs, 4), scratch, at + 12, group);
        put(i16x8.shl(signs, 3), scratch, at + 16, group);
        put(i16x8.shl(signs, 2), scratch, at + 20, group);
        put(i16x8.shl(signs, 1), scratch, at + 24, group);
        put(signs, scratch, at + 28, group);
      }
    }
  }
}

/** The sums of eight coefficients with any signs, by the byte that has a 1 where one is subtracted. */
function fillSums(coefficients: usize, sums: usize): void {
  store<f32>(sums, 0);
  for (let i: usize = 0; i < 8; i++) {
    const coefficient = load<f32>(coefficients + (i << 2));
    const half = (<usize>1) << (i + 2);
    for (let at = sums; at < sums + half; at += 4) {
      store<f32>(at + half, load<f32>(at) - coefficient);
      store<f32>(at, load<f32>(at) + coefficient);
    }
  }
}

/** The bytes of rows 0 and 8, 1 and 9, … in turns: four times is the transpose of 16 rows of 16 bytes. */
function interleave(from: usize, stride: usize, to: usize): void {
  for (let i: usize = 0; i < 8; i++) {
    const a = v128.load(from + i * stride);
    const b = v128.load(from + (i + 8) * stride);
    v128.store(to + (i << 5), v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(
      to + (i << 5),
      v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
      16,
    );
  }
}

/** Adds the sum that belongs to the top bits of 16 bytes. */
function put(signs: v128, sums: usize, at: usize, group: i32): void {
  const bits = <usize>i8x16.bitmask(signs);
  const sum = load<f32>(sums + ((bits & 255) << 2)) + load<f32>(sums + ((bits >> 8) << 2), 1024);
  store<f32>(at, group === 0 ? sum : sum + load<f32>(at));
}
