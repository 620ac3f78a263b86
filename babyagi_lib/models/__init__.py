"""Layers on and in a pretrained encoder: `heads`, `adapters`; how they are saved (`saving`); many small networks (`stacked`)."""
