"""The figures of lesson 11: pictures and sounds of parts, ceilings, calibration, one part's beliefs, subsets of senses."""

from __future__ import annotations

import base64
import html
import io
import textwrap
import wave
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from babyagi_lib.figures.base import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, plain, png, show

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKS = "osD^vX"
DASHES = ("-", "--", "-.", ":", (0, (5, 1)))
BANDS = (0, 128 * 31.25 / 1000)  # kHz
CLASSES = {"shape": ("gear", "shaft", "plate"), "material": ("steel", "brass"), "crack": ("whole", "cracked")}


def contact_sheet(rows: Mapping[str, NDArray], columns: Sequence[str]) -> None:
    """Pictures of the same parts, one row for each camera.

    Args:
        rows: by the camera's name, pictures (parts, 32, 32).
        columns: what each part is.
    """
    figure, axes = plt.subplots(
        len(rows), len(columns), figsize=(7, 1.25 * len(rows) + 0.3), squeeze=False, constrained_layout=True
    )
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=-0.6, vmax=0.9)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=9)
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name.replace(" ", "\n", 1), fontsize=9)
    show(
        figure,
        f"Contact sheet of {len(columns)} parts: {', '.join(columns)}. Rows: {', '.join(rows)}. Without noise the outlines are "
        "clear, turned and moved at random, and lighter or darker by the lamp. In the noisiest row a person can hardly see them.",
    )


def listen(sounds: Mapping[str, NDArray], spectrograms: NDArray, rate: int) -> None:
    """A player for each sound, under its spectrogram; it needs no kernel.

    Args:
        sounds: by name, samples (samples,).
        spectrograms: of the same sounds, (sounds, bands, frames).
        rate: samples a second.
    """
    from IPython.display import display

    loudest, cells, told = max(np.abs(sound).max() for sound in sounds.values()), [], []
    for (name, sound), bands in zip(sounds.items(), spectrograms, strict=True):
        pitch = 31.25 * int(bands[:, 0].argmax())
        told.append(f"{name}: strongest at about {pitch:.0f} Hz")
        figure, axis = plt.subplots(figsize=(1.54, 1.35), constrained_layout=True)
        _spectrogram(axis, bands, len(sound) / rate)
        alt = f"Spectrogram of a tap on a part of {name}, with the strongest line at about {pitch:.0f} hertz."
        picture = base64.b64encode(png(figure)).decode()
        audio = base64.b64encode(_wav(sound / loudest, rate)).decode()
        label = html.escape(f"Sound of a tap on a part of {name}")
        cells.append(
            f'<figure style="margin:0;width:13.5em"><img alt="{html.escape(alt)}" style="max-width:100%" '
            f'src="data:image/png;base64,{picture}"><audio controls aria-label="{label}" style="width:100%" '
            f'src="data:audio/wav;base64,{audio}"></audio><figcaption>{html.escape(name)}</figcaption></figure>'
        )
    page = f'<div style="display:flex;flex-wrap:wrap;gap:1em">{"".join(cells)}</div>'
    display({"text/html": page, "text/plain": "Sounds of taps. " + "; ".join(told) + "."}, raw=True)


def by_subset(values: Mapping[str, Mapping[str, float]], measured: str, exact: str | None = None) -> None:
    """A row for each set of senses, a mark for each method.

    Args:
        values: by method, the value of each set of senses, by its name.
        measured: what the values are.
        exact: the method that is drawn as a bar.
    """
    sets = list(next(iter(values.values())))
    figure, axis = plt.subplots(figsize=(6.4, 0.36 * len(sets) + 0.9), constrained_layout=True)
    places = np.arange(len(sets))[::-1]
    others = [name for name in values if name != exact]
    if exact is not None:
        found = list(values[exact].values())
        axis.barh(places, found, height=0.72, color=BLUE if not others else "#bbd7ea", label=exact)
        if not others:
            for place, value in zip(places, found, strict=True):
                axis.text(value + 0.01, place, f"{value:.3f}", va="center", fontsize=9)
    for number, name in enumerate(others):
        shift = 0.16 * ((len(others) - 1) / 2 - number)
        axis.plot(
            list(values[name].values()),
            places + shift,
            MARKS[number],
            color=(ORANGE, GREEN, PURPLE, GREY, BLUE)[number],
            markersize=5,
            label=name,
        )
    axis.set(yticks=places, yticklabels=sets, xlabel=measured, xlim=(0, None))
    if others:
        axis.legend(frameon=False, fontsize=8, loc="upper right")
    plain(axis)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in line.items()) for name, line in values.items()
    )
    show(figure, f"{measured[0].upper()}{measured[1:]}, for each set of senses. {told}.")


def learning_law(
    examples: NDArray,
    law: NDArray,
    measured: tuple[NDArray, NDArray],
    ceiling: float,
    learned: Mapping[int, Sequence[float]],
) -> None:
    """Error against the number of examples: a formula, what a simple learner reaches, and the convolutions.

    Args:
        examples: for the formula, (numbers,).
        law: the formula's error, (numbers,).
        measured: numbers of examples, and the simple learner's error.
        ceiling: the error if the template is known.
        learned: by the number of examples, estimate, low and high end of the convolutions' error.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.2), constrained_layout=True)
    ink = plt.rcParams["text.color"]
    axis.semilogx(examples, law, color=BLUE, linewidth=2, label="formula: mean difference")
    axis.plot(*measured, "o", color=BLUE, label="mean difference, measured")
    for number, (n, (middle, low, high)) in enumerate(learned.items()):
        label = None if number else "convolutions (benchmark)"
        axis.errorbar(n, middle, [[middle - low], [high - middle]], fmt="s", color=ORANGE, capsize=3, label=label)
    axis.axhline(ceiling, color=ink, linestyle="--", linewidth=1.2, label=f"template known: {ceiling:.3f}")
    axis.set(xlabel="examples", ylabel="error", ylim=(0, 0.5))
    axis.legend(frameon=False, fontsize=9)
    plain(axis)
    points = ", ".join(f"{error:.3f} with {n:,}" for n, error in zip(*measured, strict=True))
    found = ", ".join(f"{middle:.3f} with {n:,}" for n, (middle, _, _) in learned.items())
    show(
        figure,
        f"Error over the number of examples, on a logarithmic axis. The mean difference measured: {points}; the formula runs "
        f"through these points, towards {ceiling:.3f}, the error if the template is known. The convolutions: {found}.",
    )


def reliability(panels: Mapping[str, Mapping[str, Sequence]]) -> None:
    """How often predictions are right, against how sure they are.

    Args:
        panels: by title, and by the name of the line, bins from `training.losses.reliability`.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.5 * len(panels), 3.2), squeeze=False, constrained_layout=True
    )
    told = []
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        lowest = 1.0
        for (name, bins), colour, mark, dash in zip(lines.items(), COLOURS, MARKS, DASHES, strict=False):
            bins = [b for b in bins if b.count >= 20]
            said, happened = [b.said for b in bins], [b.happened for b in bins]
            error = [[b.happened - b.low for b in bins], [b.high - b.happened for b in bins]]
            axis.errorbar(
                said, happened, error, color=colour, marker=mark, markersize=5, linestyle=dash, capsize=2, label=name
            )
            lowest = min([lowest, *said, *happened])
            points = ", ".join(f"{a:.2f}: {b:.2f}" for a, b in zip(said, happened, strict=True))
            told.append(f"{title}, {name}, sure and right: {points}")
        low = max(0, lowest - 0.05)
        axis.set(xlim=(low, 1.02), ylim=(low, 1.02), xlabel="how sure", ylabel="how often right", title=title)
        axis.legend(frameon=False, fontsize=9)
        plain(axis)
    show(
        figure,
        "How often predictions are right against how sure they are; bins of 20 or more. " + "; ".join(told) + ".",
    )


def part_and_belief(
    picture: NDArray | None,
    note: str | None,
    bands: NDArray | None,
    beliefs: Mapping[str, ArrayLike],
    truth: Mapping[str, int],
) -> Picture:
    """What was sensed of one part so far, and what it makes probable.

    Args:
        picture: (32, 32), or None if it was not looked at.
        note: its text, "" if there is none, or None if it was not read.
        bands: the spectrogram of a tap, (bands, frames), or None.
        beliefs: by property, the probability of each class.
        truth: by property, the true class; its bar has a frame.

    Returns:
        The figure and its description, for `explore.explore`.
    """
    figure, (senses, bars) = plt.subplots(2, 3, figsize=(6.8, 3.9))
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.08, top=0.93, wspace=0.12, hspace=0.25)
    ink, told = plt.rcParams["text.color"], []
    for axis in senses:
        axis.set(xticks=[], yticks=[])
    if picture is not None:
        senses[0].imshow(picture, cmap="gray", vmin=-0.6, vmax=0.9)
        told.append("a picture")
    if note is not None:
        lines = ["(no note)"] if note == "" else textwrap.wrap(note, 24)
        senses[1].text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=10, transform=senses[1].transAxes)
        told.append(f"the note: {note or 'none'}")
    if bands is not None:
        senses[2].imshow(bands, origin="lower", aspect="auto", cmap="cividis", vmin=-1.1, vmax=1.4)
        told.append("the sound of a tap")
    for axis, name, given in zip(senses, ("picture", "note", "sound"), (picture, note, bands), strict=True):
        axis.set_title(name if given is not None else f"{name}: not used", fontsize=10)
    for axis, (name, p) in zip(bars, beliefs.items(), strict=True):
        p, names = np.asarray(p, dtype=float), CLASSES[name]
        drawn = axis.bar(range(len(p)), p, color=BLUE, width=0.7)
        drawn[truth[name]].set(edgecolor=ORANGE, linewidth=3)
        for place, value in enumerate(p):
            axis.text(place, value + 0.03, f"{value:.2f}", ha="center", fontsize=9, color=ink)
        axis.set(xticks=range(len(p)), xticklabels=names, ylim=(0, 1.18), yticks=[])
        axis.set_title(name, fontsize=10)
        plain(axis)
        axis.spines["left"].set_visible(False)
        told.append(f"{name}: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, p, strict=True)))
    true = ", ".join(CLASSES[name][value] for name, value in truth.items())
    return Picture(figure, f"Sensed so far and believed: {'; '.join(told)}. In truth: {true} (framed in orange).")


def _spectrogram(axis: Axes, bands: NDArray, seconds: float) -> None:
    extent = (0, 1000 * seconds, *BANDS)
    axis.imshow(bands, origin="lower", aspect="auto", cmap="cividis", extent=extent, vmin=-1.1, vmax=1.4)
    axis.set_xlabel("ms", fontsize=7, labelpad=1)
    axis.set_ylabel("kHz", fontsize=7, labelpad=1)
    axis.tick_params(labelsize=7, length=2, pad=1)


def _wav(sound: NDArray, rate: int) -> bytes:
    """A WAV file, 16 bit, one channel, with a quarter of a second of silence at its end."""
    samples = np.concatenate([np.clip(sound, -1, 1) * 32000, np.zeros(rate // 4)]).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(samples.tobytes())
    return file.getvalue()
