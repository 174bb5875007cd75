/** Where the panel has what the library's messages call by the names of its settings. */
const places: readonly (readonly [setting: RegExp, place: string])[] = [
  [/targets: "values"/, "“What is learned”: numbers to predict"],
  [/adapter: \{/, "“What is trained”: low-rank additions"],
  [/ignore: \[/, "“Columns left out”"],
];

/** @returns the message, and where on this page its settings are */
export function withPlaces(message: string): string {
  const found = places.filter(([setting]) => setting.test(message)).map(([, place]) => place);
  return found.length > 0 ? `${message} (On this page: ${found.join("; ")}.)` : message;
}
