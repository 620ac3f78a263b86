"""What all other folders build on, and what knows nothing of models or lessons. Imports no torch."""
