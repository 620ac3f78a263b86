"""The training `loop`, its `batches`, `processes` and `precision`; `prediction` with the trained model; `losses` by hand."""
