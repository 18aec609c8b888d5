"""Copies of a run's curves in TensorBoard, Weights & Biases and MLflow, made from outside."""
