/** Plain data that JSON can hold. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | Config;

/** A description as plain data, by name. */
export interface Config {
  readonly [name: string]: ConfigValue;
}

/**
 * Values of options as plain data: things with a name by their own description, patterns as text, and null for what was
 * not given. Functions say nothing of themselves.
 */
export function configOf(values: Readonly<Record<string, unknown>>): Config {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, plain(value)]));
}

/** One value as plain data. */
export function plain(value: unknown): ConfigValue {
  if (value === undefined || value === null || typeof value === "function") return null;
  if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) return value;
  // Text, numbers that JSON has no words for, and patterns.
  if (typeof value !== "object" || Object.prototype.toString.call(value) === "[object RegExp]")
    return String(value);
  if (Array.isArray(value)) return value.map(plain);
  const held = value as Readonly<Record<string, unknown>>;
  const { name, config } = held;
  if (typeof name !== "string") return configOf(held);
  if (isConfig(config)) return { name, ...config };
  return Object.values(held).some((part) => typeof part === "function") ? { name } : configOf(held);
}

function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null;
}

/**
 * Nested data in one level, names joined by points: `optimizer.beta1`. Of a thing with a name, the name stands for it:
 * `optimizer`. Lists are one value, as JSON.
 */
export function flattened(config: Config, prefix = ""): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) => {
      if (typeof value !== "object" || value === null) return [[`${prefix}${name}`, value] as const];
      if (Array.isArray(value)) return [[`${prefix}${name}`, JSON.stringify(value)] as const];
      const { name: own, ...parts } = value as Config;
      const rest = Object.entries(flattened(parts, `${prefix}${name}.`));
      return own === undefined ? rest : [[`${prefix}${name}`, String(own)] as const, ...rest];
    }),
  );
}

/** A thing with a name by its own description; everything else as it is. */
export function asData(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const { name, config } = value as { readonly name?: unknown; readonly config?: unknown };
  return typeof name === "string" && typeof config === "object" ? withoutNulls(plain(value)) : value;
}

/** Null stands for what was not given. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([, part]) => part !== null);
  return Object.fromEntries(given.map(([name, part]) => [name, withoutNulls(part)]));
}
