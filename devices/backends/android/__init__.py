"""onnxruntime-web in Chrome on an Android phone that is connected through adb."""
