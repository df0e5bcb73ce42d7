"""LiteRT (TFLite files), for inference alone: it is no device."""
