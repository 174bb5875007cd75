// Workers and the engine's WebAssembly files are found by `new URL(…, import.meta.url)`: no loader and no plugin is needed.
export default {
  mode: "production",
  entry: "./main.js",
  experiments: { outputModule: true },
  output: { module: true, path: new URL("built", import.meta.url).pathname },
  performance: { hints: false },
};
