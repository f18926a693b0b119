"""Training by a recipe and scoring; BatchNorm re-estimation, gradients, sparsity, distillation, sensitivity."""
