"""How hard the glyphs dataset is: a converged linear model against multilayer perceptrons.

Reads what bench/glyphs-dump.ts wrote; needs numpy, scikit-learn and torch:

    npx unrun bench/glyphs-dump.ts /tmp/glyphs && python bench/glyphs-difficulty.py /tmp/glyphs
"""

import sys
import time
import warnings

import numpy
import torch
from sklearn.linear_model import LogisticRegression

folder = sys.argv[1]


def read(split):
    images = numpy.fromfile(f"{folder}/{split}-images.bin", dtype=numpy.uint8).reshape(-1, 784)
    labels = numpy.fromfile(f"{folder}/{split}-labels.bin", dtype=numpy.uint8)
    return images.astype(numpy.float32) / 255, labels.astype(numpy.int64)


train_inputs, train_labels = read("train")
test_inputs, test_labels = read("test")


def linear(strengths):
    """Best test accuracy of multinomial logistic regression over inverse regularization strengths."""
    mean, deviation = train_inputs.mean(0), train_inputs.std(0) + 1e-6
    best = 0.0
    for strength in strengths:
        began = time.time()
        model = LogisticRegression(C=strength, solver="lbfgs", max_iter=3000, tol=1e-4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit((train_inputs - mean) / deviation, train_labels)
        accuracy = model.score((test_inputs - mean) / deviation, test_labels)
        converged = "not converged" if caught else f"converged in {model.n_iter_.max()} iterations"
        print(f"linear, C = {strength:g}: {accuracy:.2%} ({converged}, {time.time() - began:.0f} s)", flush=True)
        best = max(best, accuracy)
    return best


def perceptron(name, epochs, optimizer, batch=64):
    """Test accuracy after each epoch of a 784-256-256-10 ReLU network."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(784, 256), torch.nn.ReLU(),
        torch.nn.Linear(256, 256), torch.nn.ReLU(),
        torch.nn.Linear(256, 10),
    )
    mean, deviation = train_inputs.mean(), train_inputs.std()
    inputs = torch.from_numpy((train_inputs - mean) / deviation)
    labels = torch.from_numpy(train_labels)
    step = optimizer(network.parameters())
    for epoch in range(1, epochs + 1):
        began = time.time()
        for indices in torch.randperm(len(inputs)).split(batch):
            step.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[indices]), labels[indices]).backward()
            step.step()
        with torch.no_grad():
            outputs = network(torch.from_numpy((test_inputs - mean) / deviation))
        accuracy = (outputs.argmax(1).numpy() == test_labels).mean()
        print(f"{name}, epoch {epoch}: {accuracy:.2%} ({time.time() - began:.1f} s)", flush=True)


perceptron("SGD with momentum", 3, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9))
perceptron("Adam", 10, lambda p: torch.optim.Adam(p, lr=1e-3))
strengths = [float(text) for text in sys.argv[2:]] or [1e-4, 1e-3, 1e-2, 1e-1]
print(f"linear, best: {linear(strengths):.2%}")
