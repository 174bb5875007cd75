/** "−0.3", "+1.2" or "0.0" */
export function signed(value: number): string {
  const size = Math.abs(value).toFixed(1);
  return size === "0.0" ? size : `${value < 0 ? "−" : "+"}${size}`;
}

/** "−2507": a whole number with a minus sign, not a hyphen. */
export function whole(value: number): string {
  return value.toFixed(0).replace("-", "−");
}

/** "a; b; c; d; and 3 more" */
export function firstNames(names: readonly string[]): string {
  return names.slice(0, 4).join("; ") + (names.length > 4 ? `; and ${names.length - 4} more` : "");
}
