from __future__ import annotations

import pytest

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.from_ncnn import from_ncnn


def head(layers: int) -> str:
    return f"7767517\n{layers} {layers + 1}\n"


NET = (
    head(7)
    + """Input            data   0 1 data 0=32 1=16 2=3
Convolution      first  1 1 data a 0=8 1=3 3=2 4=1 5=1 6=216 9=1
Split            two    1 2 a b c
ConvolutionDepthWise second 1 1 b d 0=8 1=3 11=5 4=-233 5=1 6=120 7=8
BinaryOp         sum    2 1 d c e 0=0
Pooling          pool   1 1 e f 0=1 4=1
InnerProduct     fc     1 1 f g -23330=4,1,10,1,1 0=10 1=1 2=80
"""
)


def test_layers_that_onnx_has_are_the_same_operators() -> None:
    graph = from_ncnn(NET)
    first = builders.convolution((1, 3, 16, 32), 8, kernel=(3, 3), strides=(2, 2), activation="relu")
    second = builders.convolution((1, 8, 8, 16), 8, kernel=(5, 3), group=8)
    added = builders.elementwise("Add", ((1, 8, 8, 16), (1, 8, 8, 16)))
    assert graph.operators[:3] == (first, second, added)
    assert graph.operators[3] == builders.global_average_pool((1, 8, 8, 16))
    assert graph.operators[4].flops == 2 * 8 * 10
    assert graph.operators[4].output_shapes == ((1, 10),)
    assert graph.inputs == ((-1,), (0,), (1, 0), (2,), (3,))


def test_shape_hints_come_first() -> None:
    text = f"{head(2)}Input data 0 1 data -23330=4,3,32,16,3\nMystery m 1 2 data a b -23330=8,3,4,5,6,2,7,8,1\n"
    (operator,) = from_ncnn(text).operators
    assert operator.kind == "Mystery"
    assert operator.input_shapes == ((1, 3, 16, 32),)
    assert operator.output_shapes == ((1, 6, 5, 4), (1, 8, 7))


def test_quantised_layers_differ() -> None:
    plain, quantised = (from_ncnn(text).operators[0] for text in (NET, NET.replace("6=216", "6=216 8=102")))
    assert quantised.attribute("precision", "") == "int8"
    assert plain != quantised
    assert quantised.bytes_read < plain.bytes_read


def test_constants_are_no_inputs() -> None:
    constant = "MemoryData m 0 1 w 0=4\nSplit t 1 1 w v\n"
    text = f"{head(4)}Input data 0 1 data 0=8 1=8 2=4\n{constant}BinaryOp s 2 1 data v x 0=2\n"
    graph = from_ncnn(text)
    assert graph.inputs == ((-1,),)
    assert graph.operators[0].kind == "Mul"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "empty"),
        ("7767516\n1 1\nInput data 0 1 data 0=8 1=8 2=4\n", "7767516"),
        (f"{head(1)}Input data 0 1\n", "layer 1"),
        (f"{head(1)}Input data 0 1 data 0=x\n", "layer 1"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4 -23330=4,9,1,1,1\nReLU r 1 1 data a\n", "layer 1"),
        (f"{head(1)}Input data 0 1 data\n", "'data' (Input) without shapes"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nReshape r 1 1 data a 0=-1\n", "'r' (Reshape) without shapes"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nReLU r 1 1 other a\n", "'r' (ReLU) reads"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=8 1=3 9=77\n", "'c' (Convolution)"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=8 1=3 9=-1\n", "'c' (Convolution)"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=8 1=100\n", "impossible shape"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=8 1=1 7=3\n", "in 3 groups"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=1e999 1=1\n", "not finite"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nConvolution c 1 1 data a 0=8 1=3 4=1 14=0\n", "without shapes"),
        (f"{head(2)}Input data 0 1 data 0=8 1=8 2=4\nPooling p 1 1 data a 0=0 1=3 2=2\n", "without shapes"),
        (f"{head(5)}Input data 0 1 data 0=8 1=8 2=4\nReLU r 1 1 data a\n", "cut off"),
        (f"{head(1)}Input data 0 1 data 0=8 1=8 2=4\n", "no layer"),
    ],
)
def test_broken_files(text: str, seen: str) -> None:
    with pytest.raises(UserError, match="ncnn param file") as raised:
        from_ncnn(text)
    assert seen in str(raised.value)
