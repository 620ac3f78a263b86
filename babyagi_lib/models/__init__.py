"""Layers on and in a pretrained encoder: `heads`, `adapters`; and how they are saved (`saving`)."""
