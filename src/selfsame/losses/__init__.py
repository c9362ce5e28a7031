"""Pure losses: tensors in, one value per sample out."""
