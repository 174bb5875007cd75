import { SettingError } from "../errors/errors.ts";

/** The coefficients of z¹, z², … in ln Γ(2 + z): 1 − Euler's constant, then (−1)ᵏ (ζ(k) − 1) / k (DLMF 5.7.3). */
const seriesAtTwo = [
  0.42278433509846713, 0.3224670334241132, -0.0673523010531981, 0.020580808427784546, -0.007385551028673986,
  0.0028905103307415234, -0.001192753911703261, 0.0005096695247430425, -0.00022315475845357939,
  9.945751278180853e-5, -4.492623673813314e-5, 2.050721277567069e-5, -9.439488275268397e-6,
  4.374866789907488e-6, -2.039215753801366e-6, 9.55141213040742e-7, -4.492469198764566e-7,
  2.1207184805554665e-7, -1.0043224823968099e-7, 4.7698101693639804e-8, -2.2711094608943164e-8,
  1.0838659214896955e-8, -5.183475041970047e-9, 2.4836745438024785e-9, -1.1921401405860912e-9,
  5.731367241678862e-10, -2.7595228851242334e-10,
];

/** The coefficients of x⁻¹, x⁻³, … in Stirling's series: B₂ⱼ / (2j (2j − 1)) (DLMF 5.11.1). */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
const halfLogTwoPi = 0.9189385332046728;

/**
 * ln Γ(x) in float64, relative error below 1e-14, also next to the zeros at 1 and 2.
 *
 * Stirling's series from 10 up; below, Γ(x + 1) = x Γ(x) leads to [1.5, 2.5], where the Taylor series at 2 serves.
 *
 * @param x positive and finite
 * @throws for any other x
 */
export function logGamma(x: number): number {
  requirePositive("logGamma", x);
  if (x < 0.5) return logGamma(x + 1) - Math.log(x);
  if (x < 1.5) return logGammaNearTwo(x - 1) - Math.log1p(x - 1);
  if (x >= 10) return (x - 0.5) * (Math.log(x) - 1) - 0.5 + halfLogTwoPi + oddSeries(stirling, x);
  let product = 1;
  let reduced = x;
  while (reduced > 2.5) {
    reduced -= 1;
    product *= reduced;
  }
  return logGammaNearTwo(reduced - 2) + Math.log(product);
}

/** The coefficients of x⁻¹, x⁻³, … in ln Γ(x + ½) − ln Γ(x) − ½ ln x (from DLMF 5.11.8). */
const halfStep = [-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432];

/**
 * ln Γ(x + ½) − ln Γ(x) in float64, absolute error below 1e-14 × max(1, |value|).
 *
 * The difference of two values of logGamma loses as many digits as they have before the point; the series for large x
 * loses none, so ratios for models of 10⁹ parameters stay exact.
 *
 * @param x positive and finite
 * @throws for any other x
 */
export function logGammaHalfStep(x: number): number {
  requirePositive("logGammaHalfStep", x);
  if (x < 20) return logGamma(x + 0.5) - logGamma(x);
  return 0.5 * Math.log(x) + oddSeries(halfStep, x);
}

/** ln Γ(2 + z) for |z| ≤ ½. */
function logGammaNearTwo(z: number): number {
  return z * seriesAtTwo.reduceRight((sum, coefficient) => sum * z + coefficient, 0);
}

/** Σ coefficientⱼ / x^(2j + 1), j from 0. */
function oddSeries(coefficients: readonly number[], x: number): number {
  const inverse = 1 / x;
  const square = inverse * inverse;
  return inverse * coefficients.reduceRight((sum, coefficient) => sum * square + coefficient, 0);
}

function requirePositive(name: string, x: number): void {
  if (!(x > 0 && x < Infinity))
    throw new SettingError(`${name} needs a positive finite number, received ${x}.`, { option: "x" });
}
