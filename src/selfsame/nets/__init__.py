"""Networks in plain PyTorch: StyleGAN2, the EG3D tri-plane generator, judges, low-rank weights."""
