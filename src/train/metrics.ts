/** One line of metrics.jsonl. */
export type MetricsLine =
  | {
      readonly kind: "train";
      readonly step: number;
      readonly epoch: number;
      /** Mean loss of the steps since the line before. */
      readonly loss: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "epoch";
      readonly step: number;
      readonly epoch: number;
      /** Mean loss of the epoch's steps. */
      readonly trainLoss: number;
      readonly validationLoss?: number;
      readonly validationAccuracy?: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "quality";
      readonly step: number;
      /** Of this step's forward gradient to the exact gradient of the same batch. */
      readonly cosine: number;
      /** ‖ĝ‖ / ‖∇f‖ */
      readonly normRatio: number;
    }
  | { readonly kind: "result"; readonly step: number; readonly [key: string]: unknown };

export function encodeLine(line: MetricsLine): string {
  return `${JSON.stringify(line)}\n`;
}
