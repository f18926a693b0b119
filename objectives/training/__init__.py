"""Training by a recipe, scoring, and what both need: BatchNorm, gradients, sparsity, distillation, sensitivity."""
