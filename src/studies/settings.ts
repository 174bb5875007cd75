import * as z from "zod/mini";
import { SettingError } from "../errors/errors.ts";
import type { Setting, Settings, Study } from "./study.ts";

/** Which defaults a run starts from. */
export type Scale = "full" | "quick" | "tiny";

/**
 * A study's settings: the defaults of a scale, changed by "name=value" texts; lists are "name=1,2,4".
 * @throws when a name is unknown or a value breaks its rule
 */
export function resolveSettings(
  study: Study,
  scale: Scale,
  changes: Readonly<Record<string, string>> = {},
): Settings {
  const settings: Record<string, Setting> = { ...study[scale] };
  for (const [name, text] of Object.entries(changes)) {
    const before = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (before === undefined) {
      throw new SettingError(
        `The study '${study.name}' has no setting '${name}', received ${name}=${text}; its settings: ` +
          `${Object.keys(study.settings).join(", ")}.`,
        { option: name },
      );
    }
    settings[name] = parseSetting(text, before);
    const rule = study.settings[name] as z.core.$ZodType<Setting>;
    const checked = z.safeParse(rule, settings[name], { error: z.locales.en().localeError });
    if (!checked.success)
      throw new SettingError(
        `${name}=${text}: ${z.prettifyError(checked.error).replaceAll(/^✖ /gm, "")}; correct the value.`,
        { option: name },
      );
  }
  return settings;
}

/** Reads a text as the kind of value that the default has. */
function parseSetting(text: string, before: Setting): Setting {
  const number = (part: string) => (part.trim() === "" ? Number.NaN : Number(part));
  if (typeof before === "object") {
    const parts = text.split(",").map((part) => part.trim());
    return before.every((part) => typeof part === "number") ? parts.map(number) : parts;
  }
  if (typeof before === "number") return number(text);
  if (typeof before === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

/** A setting as people read it: "1, 2, 4". */
export function formatSetting(value: Setting): string {
  return typeof value === "object" ? value.join(", ") : String(value);
}
