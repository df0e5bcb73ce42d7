"""ExecuTorch (torch's runtime for phones), all of it an installation: its CPU kernels, which are those of XNNPACK."""
