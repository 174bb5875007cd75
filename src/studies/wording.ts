/** "−0.3" or "+1.2" */
export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

/** "−2507": a whole number with a minus sign, not a hyphen. */
export function whole(value: number): string {
  return value.toFixed(0).replace("-", "−");
}

/** "a; b; c; d; and 3 more" */
export function firstNames(names: readonly string[]): string {
  return names.slice(0, 4).join("; ") + (names.length > 4 ? `; and ${names.length - 4} more` : "");
}
