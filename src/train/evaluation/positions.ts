/** Where predictions and labels of classes stand. */
import { elementCount, type Tensor } from "../../onnx/tensor.ts";

/**
 * Goes through the labels of the first `count` examples: the label, the class with the largest logit, and the logit of each class.
 *
 * @param axis of the classes in the prediction
 */
export function eachPosition(
  prediction: Tensor,
  axis: number,
  labels: BigInt64Array | Float32Array,
  count: number,
  visit: (label: number, best: number, logit: (index: number) => number) => void,
): void {
  const { shape } = prediction;
  const logits = prediction.data as Float32Array;
  const [batch = 1, classes = 1] = [shape[0], shape[axis]];
  const inner = elementCount(shape.slice(axis + 1));
  let first = 0;
  const logit = (index: number) => logits[first + index * inner] as number;
  for (let position = 0; position < count * (labels.length / batch); position++) {
    // Labels are [outer, inner], logits [outer, classes, inner].
    first = Math.floor(position / inner) * classes * inner + (position % inner);
    let best = 0;
    for (let index = 1; index < classes; index++) if (logit(index) > logit(best)) best = index;
    visit(Number(labels[position]), best, logit);
  }
}
