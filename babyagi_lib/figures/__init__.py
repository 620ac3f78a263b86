"""The figures of the lessons, each with alt text, in colours that colour-blind readers can tell apart.

There is a module for each lesson's figures, with the lesson's name. `base` has what they share, `diagrams` draws boxes and
arrows, and `mentions` marks names in text. The numbers come from the caller. Most functions draw one figure and show it;
some return a figure or HTML instead, for an explorer or another cell. Imports no torch.
"""
