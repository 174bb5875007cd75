/** Settings that are read by some choices of another setting only. */
const owners: Readonly<Record<string, readonly [setting: string, choices: readonly string[]]>> = {
  rank: ["sampler", ["low-rank"]],
  angle: ["sampler", ["fixed-angle"]],
  within: ["aggregate", ["near-best"]],
  select: ["aggregate", ["projection"]],
  expectedLength: ["aggregate", ["projection"]],
  decay: ["schedule", ["step", "exponential", "plateau"]],
  decayEvery: ["schedule", ["step"]],
  plateauPatience: ["schedule", ["plateau"]],
};

/**
 * Makes sure that no setting is without effect.
 *
 * @param chosen what is chosen for sampler, aggregate or schedule, defaults included; others are not looked at
 * @throws when a setting is given that the choice does not read
 */
export function refuseStrayOptions(
  chosen: Readonly<Record<string, string>>,
  settings: Readonly<Partial<Record<string, unknown>>>,
): void {
  for (const [name, [setting, choices]] of Object.entries(owners)) {
    const value = settings[name];
    const choice = chosen[setting];
    if (choice === undefined || value === undefined || value === false || choices.includes(choice)) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new Error(
      `${name} (--${flag} ${value}) has no effect with ${setting} ${choice}; leave it out, or choose ${setting} ` +
        `${choices.join(" or ")}.`,
    );
  }
}
