"""A network of JAX whose modules are functions, as jax2onnx writes it, with their weights in Constant nodes inside; one
module is called twice.

    python test/cases/local-functions/make_jax.py     (with jax2onnx and flax)
"""

import sys
from pathlib import Path

import jax
import numpy as np
import onnx
from flax import nnx
from jax2onnx import onnx_function, to_onnx

sys.path += [str(Path(__file__).parents[1])]
from oracle import save


@onnx_function
class Block(nnx.Module):
    def __init__(self, inputs, outputs, rngs):
        self.linear = nnx.Linear(inputs, outputs, rngs=rngs)

    def __call__(self, x):
        return jax.nn.silu(self.linear(x))


class Network(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = Block(6, 4, rngs), Block(4, 4, rngs)
        self.last = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.second(self.first(x)))


model = to_onnx(Network(nnx.Rngs(0)), [("B", 6)], model_name="jax")
# jax2onnx writes a function for each module: here the second is called twice.
again = onnx.NodeProto.FromString(model.graph.node[1].SerializeToString())
again.name, again.input[0], again.output[0] = "again", "v_1", "v_2"
model.graph.node[2].input[0] = "v_2"
model.graph.node.insert(2, again)
x = np.random.default_rng(5).standard_normal((4, 6)).astype(np.float32)
names = [f"custom.Block.{block}.Block/const_val_{place}" for block in (1, 2) for place in (0, 1)]
save(__file__, "jax", model, {"in_0": x}, [0, 2, 1, 2], [*names, "const_0", "const_1"])
