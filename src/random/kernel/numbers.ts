/**
 * What words become, in place: `bytes` of blocks as `drawWords` writes them, four first words (a) and then four second
 * words (b) of the same counters. All lanes compute the same, without branches, from operations that IEEE 754 fixes.
 */

/** Words in the order of their counters: a and b of counter 0, a and b of counter 1, … */
export function orderWords(out: usize, bytes: usize): void {
  for (const end = out + bytes; out < end; out += 32) {
    const a = v128.load(out);
    const b = v128.load(out, 16);
    v128.store(out, v128.shuffle<u32>(a, b, 0, 4, 1, 5));
    v128.store(out, v128.shuffle<u32>(a, b, 2, 6, 3, 7), 16);
  }
}

/** Numbers uniform in [0, 1), multiples of 2⁻²⁴, in the order of the words. */
export function makeUniform(out: usize, bytes: usize): void {
  orderWords(out, bytes);
  for (const end = out + bytes; out < end; out += 16) {
    const top = f32x4.convert_i32x4_s(i32x4.shr_u(v128.load(out), 8));
    v128.store(out, f32x4.mul(top, f32x4.splat(2 ** -24)));
  }
}

/** Offsets in the table below: bytes. */
const abs = 0;
const exponent = 4;
const rootHalf = 8;
const oneUnit = 12;
const artanh0 = 16;
const artanh1 = 20;
const artanh2 = 24;
const perOctave = 28;
const half = 32;
const sine = 36;
const cosine = 56;

/** The constants of `makeNormal`, in memory because engines rebuild vectors of one value in each round of a loop. */
const table = memory.data<u32>(
  [
    0x7fffffff,
    0xff800000,
    // The bits of √½, 31 octaves up.
    0x3f3504f3 + (31 << 23),
    // 2³¹
    0x4f000000,
    // 4 artanh(q) = q·(4 + 1.3330686 z + 0.82574946 z²) to 7e-8, z = q².
    reinterpret<u32>(<f32>4),
    reinterpret<u32>(<f32>1.333068552432641),
    reinterpret<u32>(<f32>0.8257494553919272),
    // −2 ln 2 per octave, of an exponent that stands 23 bits up.
    reinterpret<u32>(<f32>(-1.3862943611198906 * 2 ** -23)),
    reinterpret<u32>(<f32>2 ** -31),
    // sin(πx/2) = x·(…) to 4e-9, in powers of x².
    reinterpret<u32>(<f32>1.5707962900224572),
    reinterpret<u32>(<f32>-0.6459633598665182),
    reinterpret<u32>(<f32>0.0796884805414958),
    reinterpret<u32>(<f32>-0.004672227923718577),
    reinterpret<u32>(<f32>0.00015082056435867668),
    // cos(πx/2) to 5e-8, in powers of x².
    reinterpret<u32>(<f32>0.9999999534671627),
    reinterpret<u32>(<f32>-1.2336982146738413),
    reinterpret<u32>(<f32>0.2536507446478126),
    reinterpret<u32>(<f32>-0.02081062752831788),
    reinterpret<u32>(<f32>0.0008581906200238442),
  ],
  16,
);

/**
 * Standard normal numbers times `scale`, by Box-Muller: of four counters, first the cosines and then the sines.
 *
 * The first word, as a whole number of 32 bits with its sign, gives the radius √(−2 ln u) of u = |a|·2⁻³¹, and its sign
 * the half of the plane; the second word gives the angle in the half. Words count as odd, so that u is never 0: numbers
 * are at most √(62 ln 2) ≈ 6.56.
 *
 * @param scale address of the factor
 */
export function makeNormal(out: usize, bytes: usize, scale: usize): void {
  // Two loops, because one needs more registers than there are.
  makeRadii(out, bytes, scale);
  turnRadii(out, bytes);
}

/** The first words become radii with signs. */
function makeRadii(out: usize, bytes: usize, scale: usize): void {
  for (const end = out + bytes; out < end; out += 128) {
    // u·2³¹ = w·2^octave, w from √½ to √2 times 2³¹; octave·2²³ is what exceeds the bits of √½.
    const a$ = f32x4.convert_i32x4_s(v128.or(v128.load(out, 32 * $), i32x4.splat(1)));
    const u$ = v128.and(a$, v128.load32_splat(table, abs));
    const octave$ = v128.and(
      i32x4.sub(u$, v128.load32_splat(table, rootHalf)),
      v128.load32_splat(table, exponent),
    );
    const w$ = i32x4.sub(u$, octave$);
    // ln(w·2⁻³¹) = 2 artanh(q)
    const q$ = f32x4.div(
      f32x4.sub(w$, v128.load32_splat(table, oneUnit)),
      f32x4.add(w$, v128.load32_splat(table, oneUnit)),
    );
    const z$ = f32x4.mul(q$, q$);
    let l$ = f32x4.mul(z$, v128.load32_splat(table, artanh2));
    l$ = f32x4.add(l$, v128.load32_splat(table, artanh1));
    l$ = f32x4.mul(l$, z$);
    l$ = f32x4.add(l$, v128.load32_splat(table, artanh0));
    l$ = f32x4.mul(l$, q$);
    const o$ = f32x4.mul(f32x4.convert_i32x4_s(octave$), v128.load32_splat(table, perOctave));
    const sign$ = v128.xor(v128.xor(a$, u$), v128.load32_splat(scale));
    v128.store(out, f32x4.mul(f32x4.sqrt(f32x4.sub(o$, l$)), sign$), 32 * $);
  }
}

/** The second words turn the radii by x from −1 to 1 quarter turns: cosines and sines take the places of both. */
function turnRadii(out: usize, bytes: usize): void {
  for (const end = out + bytes; out < end; out += 128) {
    const x$ = f32x4.mul(f32x4.convert_i32x4_s(v128.load(out, 32 * $ + 16)), v128.load32_splat(table, half));
    const y$ = f32x4.mul(x$, x$);
    let s$ = f32x4.mul(y$, v128.load32_splat(table, sine + 16));
    let c$ = f32x4.mul(y$, v128.load32_splat(table, cosine + 16));
    s$ = f32x4.mul(y$, f32x4.add(s$, v128.load32_splat(table, sine + 12)));
    c$ = f32x4.mul(y$, f32x4.add(c$, v128.load32_splat(table, cosine + 12)));
    s$ = f32x4.mul(y$, f32x4.add(s$, v128.load32_splat(table, sine + 8)));
    c$ = f32x4.mul(y$, f32x4.add(c$, v128.load32_splat(table, cosine + 8)));
    s$ = f32x4.mul(y$, f32x4.add(s$, v128.load32_splat(table, sine + 4)));
    c$ = f32x4.mul(y$, f32x4.add(c$, v128.load32_splat(table, cosine + 4)));
    s$ = f32x4.mul(x$, f32x4.add(s$, v128.load32_splat(table, sine)));
    c$ = f32x4.add(c$, v128.load32_splat(table, cosine));
    const r$ = v128.load(out, 32 * $);
    v128.store(out, f32x4.mul(r$, c$), 32 * $);
    v128.store(out, f32x4.mul(r$, s$), 32 * $ + 16);
  }
}

/**
 * Fair signs times `scale`: 32 from each word from its lowest bit on, 1 for minus. Words stand in blocks as `drawWords`
 * writes them; their signs follow the order of their counters.
 *
 * @param count signs, a multiple of 256
 * @param scale address of the factor
 */
export function makeSigns(words: usize, count: i32, scale: usize, out: usize): void {
  const signBit = i32x4.splat(0x80000000);
  const scales = v128.load32_splat(scale);
  for (const end = out + 4 * <usize>count; out < end; words += 32) {
    for (let lane: usize = 0; lane < 16; lane += 4) {
      for (let half: usize = 0; half < 32; half += 16, out += 128) {
        // Bit i of four comes to stand at bit 3 of lane i.
        const word = i32x4.mul(v128.load32_splat(words + lane + half), i32x4(8, 4, 2, 1));
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 28), signBit), scales));
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 24), signBit), scales), 16);
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 20), signBit), scales), 32);
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 16), signBit), scales), 48);
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 12), signBit), scales), 64);
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 8), signBit), scales), 80);
        v128.store(out, v128.xor(v128.and(i32x4.shl(word, 4), signBit), scales), 96);
        v128.store(out, v128.xor(v128.and(word, signBit), scales), 112);
      }
    }
  }
}
