/**
 * What a record holds under a name. Names come from files, and a plain lookup of "constructor" or "toString" finds what
 * every object inherits.
 */
export function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
