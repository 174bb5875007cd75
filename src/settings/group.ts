import { checkOptions } from "./check.ts";
import type { Described, Given, Option, Options } from "./option.ts";

/** Options that belong together, given as one object. @param name of the option that they are given as */
export function group<const All extends Options>(
  name: string,
  parts: All,
  described: Described<undefined>,
): Option<Given<All>, undefined> & { readonly parts: All } {
  return {
    kind: "value",
    expected: `an object of ${Object.keys(parts).join(", ")}`,
    accepts: (value): value is Given<All> => {
      checkOptions(parts, value, { of: name, prefix: `${name}.` });
      return true;
    },
    ...described,
    default: undefined,
    parts,
  };
}
