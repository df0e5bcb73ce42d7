"""The prior that comes with the package: files only, read by ``latency/predictors/transfer/prior_folder.py``.

Made by ``latseg pretrain --output latency/shipped_prior`` from workspaces with campaigns of the ``portrait`` space on
one machine: ONNX Runtime and OpenVINO, each with one and with two threads (300 nets and 60 operators each). It
must be written anew whenever ``latency.predictors.folder.SCHEMA`` is raised and its old value is no longer read.
"""
