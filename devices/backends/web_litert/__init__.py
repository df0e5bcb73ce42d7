"""LiteRT.js (WebAssembly) in a headless browser of this machine."""
