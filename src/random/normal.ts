import { type Key, parity } from "./threefry.ts";

/**
 * Writes the standard normal numbers `start`, `start + 1`, … of a stream, times `scale`: Box-Muller on pairs of words,
 * numbers 2j and 2j + 1 from counter j. Their size is at most √(48 ln 2) ≈ 5.77; they are Box-Muller's to 1e-6.
 *
 * Only operations that IEEE 754 fixes are used, in float64 and rounded to float32 once, so the bytes are the same on
 * every platform, and the same however a range is cut into calls. Float64 because rounding each step to float32 takes
 * V8 more than twice the time. The rounds of Threefry are written out here as in words.ts: no trip through memory.
 */
export function fillNormal(key: Key, start: number, out: Float32Array, scale = 1): void {
  const odd = start % 2;
  const first = (start - odd) / 2;
  const last = Math.floor((start + out.length) / 2);
  const pair = new Float32Array(2);
  if (odd === 1 && out.length > 0) {
    fillPairs(key[0] | 0, key[1] | 0, first | 0, (first / 4294967296) | 0, pair, scale);
    out[0] = pair[1] as number;
  }
  const whole = last - first - odd;
  if (whole > 0)
    fillPairs(
      key[0] | 0,
      key[1] | 0,
      (first + odd) | 0,
      ((first + odd) / 4294967296) | 0,
      out.subarray(odd, odd + 2 * whole),
      scale,
    );
  if (whole >= 0 && (start + out.length) % 2 === 1) {
    fillPairs(key[0] | 0, key[1] | 0, last | 0, (last / 4294967296) | 0, pair, scale);
    out[out.length - 1] = pair[0] as number;
  }
}

function fillPairs(
  k0: number,
  k1: number,
  low0: number,
  high0: number,
  out: Float32Array,
  scale: number,
): void {
  const k2 = k0 ^ k1 ^ parity;
  const k2Plus1 = (k2 + 1) | 0;
  const k0Plus2 = (k0 + 2) | 0;
  const k1Plus3 = (k1 + 3) | 0;
  const length = out.length;
  let low = low0;
  let high = high0;
  for (let place = 0; place < length; place += 2) {
    let x0 = (low + k0) | 0;
    let x1 = (high + k1) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    x0 = (x0 + k1) | 0;
    x1 = (x1 + k2Plus1) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
    x0 = (x0 + k2) | 0;
    x1 = (x1 + k0Plus2) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    x0 = (x0 + k0) | 0;
    x1 = (x1 + k1Plus3) | 0;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
    low = (low + 1) | 0;
    if (low === 0) high = (high + 1) | 0;

    // u = m·2⁻²⁴ in (0, 1] is (1 + f)·2^−shift, with 1 + f from 128/181 to 256/181: about √½ to √2. No branch follows
    // a random bit in this loop: half of them would be mispredicted.
    const m = (x0 >>> 8) + 1;
    const shift = Math.clz32(Math.imul(m, 181) >>> 7) - 7;
    // −2 ln u = 2 ln 2 · shift − 4 artanh(t), t = f / (2 + f), |t| < 0.172; coefficients fitted at Chebyshev nodes.
    const f = (m << shift) - 16777216;
    const t = f / (f + 33554432);
    const z = t * t;
    const artanh = t * (((0.5917348298031914 * z + 0.7997724518179405) * z + 1.3333337093048039) * z + 4);
    const radius = Math.sqrt(shift * 1.3862943611198906 - artanh) * scale;

    // The top two bits of the angle choose the quadrant, the next 24 the place in it: x from −½ to ½ quarter turns.
    const x = ((x1 << 2) >> 8) * 2 ** -24;
    const y = x * x;
    const sine =
      radius *
      x *
      (((-0.004602163104957803 * y + 0.07968022285816892) * y - 0.6459634781534224) * y + 1.5707963219600267);
    const cosine =
      radius *
      ((((0.0009067417199688154 * y - 0.020861529025383626) * y + 0.2536694104211721) * y -
        1.2337005493751096) *
        y +
        1);
    // Cosine and sine of the quadrant, one of them 0, the other ±1.
    const sign = 1 - ((x1 >>> 30) & 2);
    const quadrantSine = ((x1 >>> 30) & 1) * sign;
    const quadrantCosine = sign - quadrantSine;
    out[place] = quadrantCosine * cosine - quadrantSine * sine;
    out[place + 1] = quadrantSine * cosine + quadrantCosine * sine;
  }
}
