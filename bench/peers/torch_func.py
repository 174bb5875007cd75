"""Forward gradients by torch.func (vmap of jvp), and backpropagation, in PyTorch."""
from problem import *

import torch
import torch.nn.functional as F
from torch.func import jvp, vmap

torch.set_num_threads(config["threads"])
x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in initial_layers()]
parameters = tuple(tensor for layer in layers for tensor in layer)


def network(parameters, x):
    weights, biases = parameters[0::2], parameters[1::2]
    for weight, bias in zip(weights[:-1], biases[:-1]):
        x = F.relu(F.linear(x, weight, bias))
    return F.linear(x, weights[-1], biases[-1])


def loss_of(*parameters):
    return F.cross_entropy(network(parameters, x), y)


def derivatives_along(function, primals, tangents):
    return vmap(lambda *tangent: jvp(function, primals, tangent)[1])(*tangents)


def update(gradients):
    for parameter, gradient in zip(parameters, gradients):
        parameter.sub_(gradient, alpha=learning_rate)


def exact_gradient():
    leaves = [parameter.clone().requires_grad_() for parameter in parameters]
    return torch.autograd.grad(loss_of(*leaves), leaves)


def split(flat):
    """[..., n] to one view a parameter."""
    pieces = flat.split([parameter.numel() for parameter in parameters], dim=-1)
    return tuple(piece.view(*flat.shape[:-1], *parameter.shape) for piece, parameter in zip(pieces, parameters))


def dense():
    tangents = torch.randn(k, sum(parameter.numel() for parameter in parameters))
    derivatives = derivatives_along(loss_of, parameters, split(tangents))
    coefficients = torch.linalg.solve(tangents @ tangents.T, derivatives)
    update(split(coefficients @ tangents))
    return derivatives, split(tangents)


def low_rank():
    factors = [(torch.randn(k, w.shape[0]), torch.randn(k, w.shape[1]), torch.randn(k, b.shape[0])) for w, b in layers]
    # vmap needs whole tangents: the factors are multiplied out.
    tangents = tuple(t for left, right, bias in factors for t in (left[:, :, None] * right[:, None, :], bias))
    derivatives = derivatives_along(loss_of, parameters, tangents)
    gram = sum((left @ left.T) * (right @ right.T) + bias @ bias.T for left, right, bias in factors)
    coefficients = torch.linalg.solve(gram, derivatives)
    update([g for left, right, bias in factors
            for g in ((left * coefficients[:, None]).T @ right, coefficients @ bias)])
    return derivatives, tangents


def perturbed_losses(*perturbations):
    """Each example's loss, and the input of each layer; perturbations are added to what each layer computes."""
    value, layer_inputs = x, []
    for index, ((weight, bias), perturbation) in enumerate(zip(layers, perturbations)):
        layer_inputs.append(value)
        value = F.linear(value, weight, bias) + perturbation
        if index + 1 < len(layers):
            value = F.relu(value)
    return F.cross_entropy(value, y, reduction="none"), layer_inputs


def activations():
    zeros = tuple(torch.zeros(batch, size) for size in sizes[1:])
    tangents = tuple(torch.randn(k, batch, size) for size in sizes[1:])

    def along(*tangent):
        _, derivatives, layer_inputs = jvp(perturbed_losses, zeros, tangent, has_aux=True)
        return derivatives, layer_inputs

    derivatives, layer_inputs = vmap(along, out_dims=(0, None))(*tangents)
    stacked = torch.cat(tangents, dim=-1).transpose(0, 1)  # [batch, k, sites]
    coefficients = torch.linalg.solve(stacked @ stacked.transpose(1, 2), derivatives.T)  # [batch, k]
    at_sites = torch.bmm(coefficients[:, None], stacked)[:, 0].split(sizes[1:], dim=-1)
    update([g for cotangent, value in zip(at_sites, layer_inputs)
            for g in (cotangent.T @ value / batch, cotangent.mean(0))])
    return derivatives, tangents


def exact():
    update(exact_gradient())


def check(estimator):
    """Of one step, before it changed the parameters."""
    if estimator == "exact":
        return 0.0
    if estimator == "activations":
        zeros = [torch.zeros(batch, size, requires_grad=True) for size in sizes[1:]]
        expected = torch.autograd.grad(perturbed_losses(*zeros)[0].sum(), zeros)
        derivatives, tangents = activations()
        return relative_error(derivatives, sum((t * g).sum(-1) for t, g in zip(tangents, expected)))
    expected = exact_gradient()
    derivatives, tangents = {"dense": dense, "low-rank": low_rank}[estimator]()
    return relative_error(derivatives, sum((t * g).flatten(1).sum(1) for t, g in zip(tangents, expected)))


steps = {"dense": dense, "low-rank": low_rank, "activations": activations, "exact": exact}
error = check(config["estimator"])
with torch.no_grad() if config["estimator"] != "exact" else torch.enable_grad():
    serve(steps[config["estimator"]], f"PyTorch {torch.__version__}", error)
