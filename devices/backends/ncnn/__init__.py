"""ncnn, the runtime of many phone applications; here its build for the processor of this machine."""
