/** The domain of the ops that ONNX Runtime's optimizer, quantizer and exporters for it write. */
export const runtimeDomain = "com.microsoft";
