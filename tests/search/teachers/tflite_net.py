"""A tiny TFLite file: the counterpart of the ONNX teacher with one channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def tflite_teacher(path: Path, *, steep: float = 2000.0, size: int = 32) -> Path:
    """1 x 1 convolution of red in 0..1 and a sigmoid, 1 x size x size x 3 to 1 x size x size x 1, in float32."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    weights = np.array([steep, 0, 0], np.float32).reshape(1, 1, 1, 3)
    bias = np.array([-steep / 2], np.float32)
    contents = [b"", weights.tobytes(), bias.tobytes()]
    shapes = [("image", (1, size, size, 3), 0), ("weights", (1, 1, 1, 3), 1), ("bias", (1,), 2)]
    shapes += [("logits", (1, size, size, 1), 0), ("person", (1, size, size, 1), 0)]

    def made(kind: str, **values: Any) -> Any:
        part = getattr(schema, kind)()
        for name, value in values.items():
            setattr(part, name, value)
        return part

    floats = schema.TensorType.FLOAT32
    tensors = [
        made("TensorT", name=name, shape=list(shape), type=floats, buffer=buffer) for name, shape, buffer in shapes
    ]
    options = made("Conv2DOptionsT", padding=schema.Padding.SAME, strideW=1, strideH=1)
    convolution = made(
        "OperatorT",
        opcodeIndex=0,
        inputs=[0, 1, 2],
        outputs=[3],
        builtinOptionsType=schema.BuiltinOptions.Conv2DOptions,
        builtinOptions=options,
    )
    sigmoid = made("OperatorT", opcodeIndex=1, inputs=[3], outputs=[4])
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.LOGISTIC)
    model = made(
        "ModelT",
        version=3,
        operatorCodes=[made("OperatorCodeT", builtinCode=k, deprecatedBuiltinCode=k, version=1) for k in kinds],
        subgraphs=[
            made("SubGraphT", tensors=tensors, inputs=[0], outputs=[4], operators=[convolution, sigmoid], name="net")
        ],
        buffers=[made("BufferT", data=np.frombuffer(content, np.uint8)) for content in contents],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
