"""The training `loop`, its `batches`, `losses` by hand, and `prediction` with the trained model."""
