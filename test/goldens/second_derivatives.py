"""Second directional derivatives of the small image models by PyTorch in float64.

    python test/goldens/second_derivatives.py

Models, parameters, data and the K directions v of the weights are those of models.py; `second` is d²/dt² f(θ + t·v) at
t = 0 of the mean loss, by differentiating twice with respect to t in reverse mode.
"""

import numpy as np
import torch
from torch.nn import functional as F

import models
from golden import write


def second(name, model, function, input, outputs, options, batch, module=None, small=True, seed=0):
    x = models.numbers(models.INPUTS + seed, [batch, *input], 0.5, 0.5)
    labels = torch.from_numpy((models.mixed(models.LABELS + seed, batch) % outputs).astype(np.int64))
    parameters = models.Parameters()
    with torch.no_grad():
        function(models.Network(parameters), x)
    directions = {
        key: models.tangents(models.WEIGHT_TANGENTS + index, parameters[key].shape)
        for index, key in enumerate(parameters.trained)
    }

    def twice(i):
        t = torch.zeros((), dtype=torch.float64, requires_grad=True)
        moved = models.Parameters()
        moved.update(parameters | {key: parameters[key] + t * value[i] for key, value in directions.items()})
        loss = F.cross_entropy(function(models.Network(moved), x), labels)
        (slope,) = torch.autograd.grad(loss, t, create_graph=True)
        (curvature,) = torch.autograd.grad(slope, t)
        return slope.item(), curvature.item()

    slopes, curvatures = zip(*(twice(i) for i in range(models.K)))
    return {"name": name, "first": slopes, "second": curvatures}


if __name__ == "__main__":
    torch.set_num_threads(1)
    models.entry = second
    write("second-derivatives.golden.json", list(models.small_entries()))
