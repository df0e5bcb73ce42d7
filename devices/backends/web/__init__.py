"""onnxruntime-web: in a browser that the device starts (``web``), or in one that a person opens (``page``)."""
