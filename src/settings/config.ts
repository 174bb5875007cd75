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
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (Object.prototype.toString.call(value) === "[object RegExp]") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  const held = value as Readonly<Record<string, unknown>>;
  if (typeof held.name === "string" && isConfig(held.config)) return { name: held.name, ...held.config };
  if (typeof held.name === "string" && Object.values(held).some((part) => typeof part === "function"))
    return { name: held.name };
  return configOf(held);
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
