"""Networks, data, training, distillation and metrics of segmentation. Knows nothing of hardware."""
