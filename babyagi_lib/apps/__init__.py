"""What Part III starts, serves or runs: programs that put trained parts to use."""
