/** Settings in the page's address, so that a lesson is a link. Those of a panel begin with its name: `landscape.k=3`. */

/** Reads and writes the settings of one panel. */
export interface Settings<Values extends Readonly<Record<string, string | number>>> {
  /** What the address says, or else the defaults. */
  read(): Values;
  /** Puts what is not a default into the address. */
  write(values: Values): void;
}

/** @param isFit whether a value of the address can be taken */
export function settings<Values extends Readonly<Record<string, string | number>>>(
  panel: string,
  defaults: Values,
  isFit: (name: keyof Values & string, value: string | number) => boolean,
): Settings<Values> {
  return {
    read() {
      const address = new URLSearchParams(location.search);
      const given = Object.entries(defaults).map(([name, normal]) => {
        const text = address.get(`${panel}.${name}`);
        const value = text !== null && typeof normal === "number" ? Number(text) : text;
        return [name, value !== null && isFit(name, value) ? value : normal];
      });
      return Object.fromEntries(given) as Values;
    },
    write(values) {
      const address = new URL(location.href);
      for (const [name, value] of Object.entries(values)) {
        if (value === defaults[name]) address.searchParams.delete(`${panel}.${name}`);
        else address.searchParams.set(`${panel}.${name}`, String(value));
      }
      history.replaceState(null, "", address);
    },
  };
}

/** Whether a value is a whole number between two others. */
export function isWhole(value: string | number, least: number, most: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}
