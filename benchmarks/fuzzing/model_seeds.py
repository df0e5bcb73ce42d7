"""Small valid models from which mutated ones are made."""

from __future__ import annotations

from random import Random

import onnx

from latency.operators.synthesize import to_model
from latseg.testing.nets import mobile_net, small_net
from search.spaces.portrait.space import PortraitSpace

_HEADER = '<ir_version: 8, opset_import: ["" : 17]> g '
_TEXTS = (
    """(float[1,3,16,16] x) => (float[1,3,32,32] y) <int64[1] two = {2}, int64[1] three = {3}, int64[1] end = {4},
    int64[1] from = {0}, float[1] half = {0.5}> {
        s = Shape (x)  head = Slice (s, from, two)  tail = Slice (s, two, end)  twice = Add (tail, tail)
        size = Concat <axis = 0> (head, twice)  none = Constant <value = float[0] {}> ()
        y = Resize <mode = "linear"> (x, none, none, size)
    }""",
    """(float[1,16,8] x) => (float[1,16,8] y)
    <float[8] scale = {1,1,1,1,1,1,1,1}, float one = {1.0}, int64[3] to = {1,-1,8}> {
        t = Transpose <perm = [0,2,1]> (x)  m = MatMul (x, t)  a = Softmax <axis = -1> (m)  v = MatMul (a, x)
        r = Reshape (v, to)  n = Mul (r, scale)  p = Add (n, one)  e = Erf (p)  y = Mul (e, p)
    }""",
    """(float[1,4,8,8] x, int64[1] k) => (float[1,n] v, int64[1,n] i) { f = Flatten (x)  v, i = TopK (f, k) }""",
    """(float[1,4,8,8] x) => (float[1,2,8,8] y, float[1,2,4,4] z) {
        a, b = Split <axis = 1> (x)  c = Clip (a)  d = Max (b, c)  y = Relu (d)
        z = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (y)
    }""",
)


def seed_models(seed: int) -> list[onnx.ModelProto]:
    """Nets of the portrait space, the tests' nets, and hand-written ones with computed sizes, attention and splits."""
    space = PortraitSpace(sizes=((128, 128),))
    nets = [to_model(space.lower(each)) for each in space.sample(3, Random(seed))]
    written = [onnx.parser.parse_model(_HEADER + text) for text in _TEXTS]
    return [*nets, mobile_net(), small_net(), small_net(size="side"), *written]
