"""What scikit-learn says of made-up predictions: writes metrics.golden.json beside this file. Needs scikit-learn and numpy."""
import json
from pathlib import Path

import numpy as np
from sklearn import metrics

draw = np.random.default_rng(5)
cases = {"classification": [], "auc": [], "regression": []}
for classes, count, rare in [(2, 50, False), (3, 200, False), (5, 300, True), (10, 400, False)]:
    labels = draw.integers(0, classes, count)
    if rare:
        labels[labels == 3] = 0
    taken = np.where(draw.random(count) < 0.6, labels, draw.integers(0, classes, count))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, taken, labels=range(classes), zero_division=np.nan
    )
    none = lambda values: [None if np.isnan(value) else float(value) for value in values]
    cases["classification"].append(
        {
            "labels": labels.tolist(),
            "taken": taken.tolist(),
            "classes": classes,
            "accuracy": metrics.accuracy_score(labels, taken),
            "microF1": metrics.f1_score(labels, taken, average="micro"),
            "balancedAccuracy": float(np.nanmean(recall)),
            "macroF1": float(np.nanmean(f1)),
            "precision": none(precision),
            "recall": none(recall),
            "f1": none(f1),
            "support": support.tolist(),
        }
    )
for count, rounded in [(40, False), (300, True), (1000, False)]:
    labels = draw.integers(0, 2, count)
    scores = draw.normal(size=count) + labels
    if rounded:
        scores = scores.round(1)
    cases["auc"].append({"labels": labels.tolist(), "scores": scores.tolist(), "auc": metrics.roc_auc_score(labels, scores)})
for size, offset in [(1, 0), (3, 0), (1, 1e6)]:
    targets = draw.normal(size=(120, size)) + offset
    predictions = targets + 0.5 * draw.normal(size=(120, size))
    cases["regression"].append(
        {
            "size": size,
            "targets": targets.ravel().tolist(),
            "predictions": predictions.ravel().tolist(),
            "meanAbsoluteError": metrics.mean_absolute_error(targets, predictions),
            "rootMeanSquaredError": metrics.mean_squared_error(targets, predictions) ** 0.5,
            "r2": metrics.r2_score(targets, predictions),
        }
    )
Path(__file__).with_name("metrics.golden.json").write_text(json.dumps(cases))
