// The engine finds its WebAssembly files beside its own module, and the worker loads parts when it needs them.
export default {
  base: "./",
  worker: { format: "es" },
  build: { target: "es2022" },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
};
