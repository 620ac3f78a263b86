"""Words to word pieces and back (`wordpieces`), and tags of names with their scores (`iob2`). Imports no torch."""
