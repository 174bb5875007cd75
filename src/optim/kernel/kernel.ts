/**
 * One step of an optimizer for a piece of a parameter. ../sgd.ts and ../adam.ts say what is computed; here it is the same, two
 * numbers at a time in float64, rounded to float32 where they are stored, so that the bits are the same, too.
 */

/** Numbers of one piece, the most that one call moves: few enough for a core's own cache. */
export const pieceNumbers: i32 = 4096;

/** Where the numbers of a piece are, in bytes: 256 more than they need apart, or loads would wait for stores of the same low bits. */
export const valuesAt: i32 = 0;
export const gradientAt: i32 = 16640;
/** State: velocities, or means. */
export const firstAt: i32 = 33280;
/** State: mean squares. */
export const secondAt: i32 = 49920;

/** θ ← θ − rate·(g + decay·θ) */
export function descend(count: i32, rate: f64, decay: f64): void {
  for (let at: usize = 0; at < (<usize>count) << 2; at += 8) {
    const value = f64x2.promote_low_f32x4(v128.load64_zero(at, valuesAt));
    const gradient = f64x2.promote_low_f32x4(v128.load64_zero(at, gradientAt));
    const direction = f64x2.add(gradient, f64x2.mul(f64x2.splat(decay), value));
    const moved = f64x2.sub(value, f64x2.mul(f64x2.splat(rate), direction));
    v128.store64_lane(at, f32x4.demote_f64x2_zero(moved), 0, valuesAt);
  }
}

/** v ← momentum·v + (g + decay·θ), rounded; θ ← θ − rate·v */
export function descendWithMomentum(count: i32, rate: f64, decay: f64, momentum: f64): void {
  for (let at: usize = 0; at < (<usize>count) << 2; at += 8) {
    const value = f64x2.promote_low_f32x4(v128.load64_zero(at, valuesAt));
    const gradient = f64x2.promote_low_f32x4(v128.load64_zero(at, gradientAt));
    const velocity = f64x2.promote_low_f32x4(v128.load64_zero(at, firstAt));
    const direction = f64x2.add(gradient, f64x2.mul(f64x2.splat(decay), value));
    const speed = f32x4.demote_f64x2_zero(f64x2.add(f64x2.mul(f64x2.splat(momentum), velocity), direction));
    const moved = f64x2.sub(value, f64x2.mul(f64x2.splat(rate), f64x2.promote_low_f32x4(speed)));
    v128.store64_lane(at, speed, 0, firstAt);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(moved), 0, valuesAt);
  }
}

/** s = momentum·v + d with d = g + decay·θ; v ← s, rounded; θ ← θ − rate·(d + momentum·s) */
export function descendAhead(count: i32, rate: f64, decay: f64, momentum: f64): void {
  for (let at: usize = 0; at < (<usize>count) << 2; at += 8) {
    const value = f64x2.promote_low_f32x4(v128.load64_zero(at, valuesAt));
    const gradient = f64x2.promote_low_f32x4(v128.load64_zero(at, gradientAt));
    const velocity = f64x2.promote_low_f32x4(v128.load64_zero(at, firstAt));
    const direction = f64x2.add(gradient, f64x2.mul(f64x2.splat(decay), value));
    const speed = f64x2.add(f64x2.mul(f64x2.splat(momentum), velocity), direction);
    const ahead = f64x2.add(direction, f64x2.mul(f64x2.splat(momentum), speed));
    const moved = f64x2.sub(value, f64x2.mul(f64x2.splat(rate), ahead));
    v128.store64_lane(at, f32x4.demote_f64x2_zero(speed), 0, firstAt);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(moved), 0, valuesAt);
  }
}

/**
 * d = g + decay·θ; m = β₁m + (1 − β₁)d; s = β₂s + (1 − β₂)d²; θ ← keep·θ − size·m/(√s/correction + epsilon)
 *
 * @param size the rate over the mean's correction
 * @param correction that of the root mean square
 */
export function adapt(
  count: i32,
  beta1: f64,
  beta2: f64,
  epsilon: f64,
  decay: f64,
  size: f64,
  correction: f64,
  keep: f64,
): void {
  for (let at: usize = 0; at < (<usize>count) << 2; at += 8) {
    const value = f64x2.promote_low_f32x4(v128.load64_zero(at, valuesAt));
    const gradient = f64x2.promote_low_f32x4(v128.load64_zero(at, gradientAt));
    const mean = f64x2.promote_low_f32x4(v128.load64_zero(at, firstAt));
    const square = f64x2.promote_low_f32x4(v128.load64_zero(at, secondAt));
    const direction = f64x2.add(gradient, f64x2.mul(f64x2.splat(decay), value));
    const m = f64x2.add(f64x2.mul(f64x2.splat(beta1), mean), f64x2.mul(f64x2.splat(1 - beta1), direction));
    const fresh = f64x2.mul(f64x2.mul(f64x2.splat(1 - beta2), direction), direction);
    const s = f64x2.add(f64x2.mul(f64x2.splat(beta2), square), fresh);
    const root = f64x2.add(f64x2.div(f64x2.sqrt(s), f64x2.splat(correction)), f64x2.splat(epsilon));
    const step = f64x2.div(f64x2.mul(f64x2.splat(size), m), root);
    const moved = f64x2.sub(f64x2.mul(value, f64x2.splat(keep)), step);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(m), 0, firstAt);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(s), 0, secondAt);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(moved), 0, valuesAt);
  }
}
