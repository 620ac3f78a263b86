"""Ways to learn that lessons compare: `pretraining`, `fewshot` and `incontext`."""
