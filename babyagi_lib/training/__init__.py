"""The training `loop`, its `batches` and `processes`, `losses` by hand, and `prediction` with the trained model."""
