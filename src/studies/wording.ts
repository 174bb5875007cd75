/** "−0.3" or "+1.2" */
export function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

/** "a; b; c; d; and 3 more" */
export function firstNames(names: readonly string[]): string {
  return names.slice(0, 4).join("; ") + (names.length > 4 ? `; and ${names.length - 4} more` : "");
}
