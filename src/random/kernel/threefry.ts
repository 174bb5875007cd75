/**
 * Threefry-2x32 in 13 rounds (the readable version is ../threefry.ts) for `count` counters from (low, high), 16 at a
 * time in four vectors, because one vector alone would leave the processor waiting for each result. Written are whole
 * blocks of 128 bytes: for each vector its four first words, then its four second words.
 *
 * The counters may not go beyond the low word. The key schedule is read from memory in each round: loads are free
 * beside the arithmetic, and engines rebuild vectors of one value otherwise.
 */
export function drawWords(
  key0: i32,
  key1: i32,
  low: i32,
  high: i32,
  count: i32,
  out: usize,
  schedule: usize,
): void {
  const key2 = key0 ^ key1 ^ 0x1bd11bda;
  store<i32>(schedule, key1);
  store<i32>(schedule, key2 + 1, 4);
  store<i32>(schedule, key2, 8);
  store<i32>(schedule, key0 + 2, 12);
  store<i32>(schedule, key0, 16);
  store<i32>(schedule, key1 + 3, 20);
  // All counters share the second word of the input, so the first round is one addition and one exclusive or.
  const second = high + key1;
  const turned = i32x4.splat(<i32>rotl<u32>(second, 13));
  let counter = i32x4.add(i32x4.splat(low + key0 + second), i32x4(0, 1, 2, 3));
  for (const end = out + 8 * <usize>count; out < end; out += 128) {
    let a$ = i32x4.add(counter, i32x4.splat(4 * $));
    counter = i32x4.add(counter, i32x4.splat(16));
    let b$ = v128.xor(turned, a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 15), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 26), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 6), a$);
    a$ = i32x4.add(a$, v128.load32_splat(schedule));
    b$ = i32x4.add(b$, v128.load32_splat(schedule, 4));
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 17), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 29), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(swapHalves(b$), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 24), a$);
    a$ = i32x4.add(a$, v128.load32_splat(schedule, 8));
    b$ = i32x4.add(b$, v128.load32_splat(schedule, 12));
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 13), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 15), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 26), a$);
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 6), a$);
    a$ = i32x4.add(a$, v128.load32_splat(schedule, 16));
    b$ = i32x4.add(b$, v128.load32_splat(schedule, 20));
    a$ = i32x4.add(a$, b$);
    b$ = v128.xor(rotate(b$, 17), a$);
    v128.store(out, a$, 32 * $);
    v128.store(out, b$, 32 * $ + 16);
  }
}

function rotate(x: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(x, bits), i32x4.shr_u(x, 32 - bits));
}

/** A rotation by 16 bits. */
function swapHalves(x: v128): v128 {
  return v128.shuffle<u16>(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}
