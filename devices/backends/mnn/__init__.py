"""MNN (Alibaba): its CPU kernels.

The wheel's command ``mnnconvert`` installs a package that sends usage data to the vendor; nothing here runs or imports
it (``converter.py``).
"""
