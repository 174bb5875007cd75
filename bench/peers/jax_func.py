"""Forward gradients in JAX, jit(vmap(jvp)), and backpropagation. The whole step is one compiled function."""
from problem import *

import jax
import jax.numpy as jnp
from functools import partial

# JAX's default generator, Threefry: XLA's own ("rbg") took twice the time on a CPU.
x, y = jnp.asarray(inputs), jnp.asarray(labels.astype("int32"))
parameters = [tuple(map(jnp.asarray, layer)) for layer in initial_layers()]
structure = jax.tree_util.tree_structure(parameters)
leaf_shapes = [leaf.shape for leaf in jax.tree_util.tree_leaves(parameters)]


def normal(key, shape):
    # Without the barrier XLA computes the numbers again in every place that reads them.
    return jax.lax.optimization_barrier(jax.random.normal(key, shape))


def losses(parameters, perturbations=None):
    """Each example's loss, and each layer's input; perturbations are added to what each layer computes."""
    value, layer_inputs = x, []
    for index, (weight, bias) in enumerate(parameters):
        layer_inputs.append(value)
        value = value @ weight.T + bias
        if perturbations is not None:
            value = value + perturbations[index]
        if index + 1 < len(parameters):
            value = jax.nn.relu(value)
    picked = jnp.take_along_axis(value, y[:, None], axis=1)[:, 0]
    return jax.nn.logsumexp(value, axis=1) - picked, layer_inputs


def loss_of(parameters):
    return losses(parameters)[0].mean()


def along(parameters, tangents):
    return jax.vmap(lambda tangent: jax.jvp(loss_of, (parameters,), (tangent,))[1])(tangents)


def updated(parameters, gradients):
    return jax.tree_util.tree_map(lambda value, gradient: value - learning_rate * gradient, parameters, gradients)


def dense(parameters, key):
    # Drawn by parameter: faster than one [k, n] that is cut up.
    keys = jax.random.split(key, len(leaf_shapes))
    stacks = [normal(own, (k, *shape)) for own, shape in zip(keys, leaf_shapes)]
    tangents = jax.tree_util.tree_unflatten(structure, stacks)
    derivatives = along(parameters, tangents)
    flat = [stack.reshape(k, -1) for stack in stacks]
    c = jnp.linalg.solve(sum(stack @ stack.T for stack in flat), derivatives)
    gradients = jax.tree_util.tree_map(lambda stack: jnp.tensordot(c, stack, 1), tangents)
    return updated(parameters, gradients), derivatives, tangents


def low_rank(parameters, key):
    factors = []
    for index, (weight, bias) in enumerate(parameters):
        left, right, other = jax.random.split(jax.random.fold_in(key, index), 3)
        factors.append((normal(left, (k, weight.shape[0])), normal(right, (k, weight.shape[1])),
                        normal(other, (k, bias.shape[0]))))
    tangents = [(left[:, :, None] * right[:, None, :], bias) for left, right, bias in factors]
    derivatives = along(parameters, tangents)
    gram = sum((left @ left.T) * (right @ right.T) + bias @ bias.T for left, right, bias in factors)
    c = jnp.linalg.solve(gram, derivatives)
    gradients = [((left * c[:, None]).T @ right, c @ bias) for left, right, bias in factors]
    return updated(parameters, gradients), derivatives, tangents


def activations(parameters, key):
    zeros = [jnp.zeros((batch, size)) for size in sizes[1:]]
    tangents = [normal(jax.random.fold_in(key, index), (k, batch, size))
                for index, size in enumerate(sizes[1:])]

    def one(tangent):
        _, derivatives, layer_inputs = jax.jvp(partial(losses, parameters), (zeros,), (tangent,), has_aux=True)
        return derivatives, layer_inputs

    derivatives, layer_inputs = jax.vmap(one, out_axes=(0, None))(tangents)
    stacked = jnp.concatenate(tangents, axis=-1).transpose(1, 0, 2)  # [batch, k, sites]
    c = jnp.linalg.solve(stacked @ stacked.transpose(0, 2, 1), derivatives.T[..., None])  # [batch, k, 1]
    at_sites = jnp.split((c * stacked).sum(1), [sizes[1], sizes[1] + sizes[2]], axis=-1)
    gradients = [(site.T @ value / batch, site.mean(0)) for site, value in zip(at_sites, layer_inputs)]
    return updated(parameters, gradients), derivatives, tangents


def exact(parameters, key):
    return updated(parameters, jax.grad(loss_of)(parameters)), None, None


estimator = {"dense": dense, "low-rank": low_rank, "activations": activations, "exact": exact}[config["estimator"]]
# The tangents leave the compiled function in the check alone.
compiled = jax.jit(lambda parameters, key: estimator(parameters, key)[0], donate_argnums=0)


def check():
    if config["estimator"] == "exact":
        return 0.0
    _, derivatives, tangents = jax.jit(estimator)(parameters, jax.random.key(1))
    if config["estimator"] == "activations":
        zeros = [jnp.zeros((batch, size)) for size in sizes[1:]]
        expected = jax.grad(lambda perturbations: losses(parameters, perturbations)[0].sum())(zeros)
        return relative_error(derivatives, sum((t * g).sum(-1) for t, g in zip(tangents, expected)))
    expected = jax.grad(loss_of)(parameters)
    products = jax.tree_util.tree_map(lambda t, g: (t * g).reshape(k, -1).sum(1), tangents, expected)
    return relative_error(derivatives, sum(jax.tree_util.tree_leaves(products)))


error = check()
key, count = jax.random.key(0), 0


def step():
    global parameters, count
    count += 1
    parameters = jax.block_until_ready(compiled(parameters, jax.random.fold_in(key, count)))


serve(step, f"JAX {jax.__version__}", error)
