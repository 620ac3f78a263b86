"""Three senses of a machine part, made by code: a picture, a worker's note, the sound of a tap. Used by lesson 11.

Beside the part, a picture depends on the view (angle, place, zoom, lamp) and a sound on the strike (pitch, damping, timbre,
loudness). These are nuisances: they say nothing about the part, and they hide it. They are drawn apart from the noise, so that
the same part can be seen again in the same light. How much the nuisances hide is known exactly (`ceilings`).

Everything here is invented. Parts have the shapes and materials of `part_notes`. Given the part, the senses are independent.
Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from babyagi_lib.basics.arguments import check_number, check_whole
from babyagi_lib.worlds.part_notes import CRACKED, WORDS

SIDE = 32  # pixels
RATE, SAMPLES = 8000, 2048  # of a sound, in samples a second and in all
WINDOW, HOP = 256, 128  # samples of a spectrogram's frame, and from one frame to the next
NOISE, HISS = 0.35, 0.05  # standard deviation of the noise of a pixel, and of a sample

# The logarithms of the nuisances are normal with these standard deviations.
SPREAD = {"zoom": 0.08, "lamp": 0.35, "pitch": 0.08, "damping": 0.25, "timbre": 0.6, "loudness": 0.2}
BRIGHTNESS = 0.29  # of a part between steel and brass, in the middle of the picture's scale
BRASS_IS_BRIGHTER = 0.28  # difference of the logarithms: 0.8 standard deviations of the lamp
BRASS_IS_DULLER = 0.55  # the same for timbre, the strength of the overtones
CRACK_LOWERS, CRACK_DAMPS = 0.15, 0.5  # differences of the logarithms of pitch and duration
PITCH, DURATION = 700.0, 0.05  # hertz; seconds in which the lowest tone falls to 1/e
TONES = (1.0, 2.3, 3.9)  # frequencies, as multiples of the pitch

NOTE_RIGHT = {"shape": 0.5, "material": 0.9}  # how often a note is right; all wrong words are equally frequent
NOTE_MISSING = 0.2
TEMPLATES = (
    "{material} {shape}",
    "one {shape}, looks {material}",
    "a {material} {shape}, I think",
    "I would say {shape}, {material}",
    "box 4: {shape}, {material}",
    "seems to be a {material} {shape}",
    "{shape} again, {material}",
    "picked up a {shape}. It is {material}.",
    # The last four are not in the usual training data.
    "no idea what it is for, but it is a {material} {shape}",
    "{material} for sure; could be a {shape}",
    "the {shape} that fell off the belt, a {material} one",
    "this must be a {shape}; I checked twice: {material}",
)
USUAL, HELD_OUT = tuple(range(8)), tuple(range(8, 12))  # templates


@dataclass(frozen=True, eq=False)
class _Rows:
    """Arrays of one length, chosen together."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, chosen: Any) -> Any:
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Parts(_Rows):
    """What parts are: whole numbers, (parts,) each, as in `SHAPES`, `MATERIALS` and `STATES`."""

    shape: NDArray[np.int64]
    material: NDArray[np.int64]
    cracked: NDArray[np.int64]

    @property
    def kind(self) -> NDArray[np.int64]:
        """The number of the kind from 0 to 11, as in `part_symbols`: (2 · shape + material) · 2 + cracked."""
        return (2 * self.shape + self.material) * 2 + self.cracked


@dataclass(frozen=True, eq=False)
class View(_Rows):
    """How parts lie before the camera, and the light, (parts,) each: radians, half widths of the picture, factors."""

    angle: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    zoom: NDArray[np.float64]
    lamp: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Strike(_Rows):
    """How parts are tapped, (parts,) each: factors of pitch, duration, overtones and loudness."""

    pitch: NDArray[np.float64]
    damping: NDArray[np.float64]
    timbre: NDArray[np.float64]
    loudness: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Notes(_Rows):
    """Notes: `texts` (notes,), "" where there is none, and `said` (notes, 2), shape and material, -1 where there is none."""

    texts: NDArray[np.str_]
    said: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether there is a note, (notes,)."""
        return self.said[:, 0] >= 0


def draw_parts(number: int, rng: np.random.Generator, cracked: float = CRACKED) -> Parts:
    """Random parts: all shapes and materials equally often, cracked with the given probability.

    Raises:
        ValueError: there is no part, or the probability is not from 0 to 1.
    """
    check_whole("number", number, 1)
    check_number("cracked", cracked, 0, 1)
    shape, material = rng.integers(3, size=number), rng.integers(2, size=number)
    return Parts(shape, material, (rng.random(number) < cracked).astype(np.int64))


def draw_views(number: int, rng: np.random.Generator) -> View:
    """A fresh view for each of so many pictures."""
    check_whole("number", number, 1)
    angle = rng.uniform(0, 2 * math.pi, number)
    right, down = rng.uniform(-0.2, 0.2, (2, number))
    return View(angle, right, down, *(_factor(name, number, rng) for name in ("zoom", "lamp")))


def draw_strikes(number: int, rng: np.random.Generator) -> Strike:
    """A fresh strike for each of so many sounds."""
    check_whole("number", number, 1)
    return Strike(*(_factor(name, number, rng) for name in ("pitch", "damping", "timbre", "loudness")))


def drawn_again(earlier: View | Strike, keep: Sequence[str], rng: np.random.Generator) -> View | Strike:
    """Fresh nuisances for the same parts, except those that stay: the lamp of the hall, the size of the part.

    Args:
        earlier: the nuisances of the time before.
        keep: the names of those that stay, such as `("zoom", "lamp")`; all names give the same view again.
        rng: where the others come from.

    Raises:
        ValueError: there is no nuisance of that name.
    """
    fresh = (draw_views if isinstance(earlier, View) else draw_strikes)(len(earlier), rng)
    names = [field.name for field in fields(earlier)]
    if unknown := set(keep) - set(names):
        raise ValueError(f"there is no nuisance {sorted(unknown)}; there are {', '.join(names)}")
    return replace(fresh, **{name: getattr(earlier, name) for name in keep})


def pictures(
    parts: Parts, rng: np.random.Generator, view: View | None = None, noise: float = NOISE
) -> NDArray[np.float32]:
    """A picture of each part, (parts, 32, 32): a brighter part on a ground of 0, and noise.

    Args:
        parts: what is seen.
        rng: where the noise comes from, and the view if there is none.
        view: how the parts lie, and the light; None for a fresh view of each.
        noise: standard deviation of each pixel's noise; a part's brightness is about 0.3.

    Raises:
        ValueError: the noise is below 0, or there are not as many views as parts.
    """
    check_number("noise", noise, 0)
    view = _fitting(view or draw_views(len(parts), rng), parts)
    found = np.empty((len(parts), SIDE, SIDE), dtype=np.float32)
    for first in range(0, len(parts), 1000):  # so that little memory is needed
        chosen = slice(first, first + 1000)
        found[chosen] = _drawn(parts[chosen], view[chosen])
    if noise:
        found += noise * rng.standard_normal(found.shape, dtype=np.float32)
    return found


def taps(
    parts: Parts, rng: np.random.Generator, strike: Strike | None = None, hiss: float = HISS
) -> NDArray[np.float32]:
    """The sound of a tap on each part, (parts, 2048) at 8,000 samples a second: three damped sines, and noise.

    A crack lowers the pitch and shortens the sound. Brass has weaker overtones. The shape is not heard.

    Args:
        parts: what is tapped.
        rng: where the noise and the phases come from, and the strike if there is none.
        strike: how the parts are tapped; None for a fresh strike of each.
        hiss: standard deviation of each sample's noise; the lowest tone begins at about 0.3.

    Raises:
        ValueError: the hiss is below 0, or there are not as many strikes as parts.
    """
    check_number("hiss", hiss, 0)
    strike = _fitting(strike or draw_strikes(len(parts), rng), parts)
    time = np.arange(SAMPLES, dtype=np.float32) / RATE
    pitch = (PITCH * strike.pitch * np.exp(-CRACK_LOWERS * parts.cracked))[:, None]
    duration = (DURATION * strike.damping * np.exp(-CRACK_DAMPS * parts.cracked))[:, None]
    overtones = (strike.timbre * np.exp(BRASS_IS_DULLER * (0.5 - parts.material)))[:, None]
    found = np.zeros((len(parts), SAMPLES), dtype=np.float32)
    for number, tone in enumerate(TONES):
        phase = rng.uniform(0, 2 * math.pi, (len(parts), 1))
        turns = (2 * math.pi * tone * pitch).astype(np.float32) * time + phase.astype(np.float32)
        strength = 0.5 * overtones if number else np.ones_like(overtones)
        found += (
            strength.astype(np.float32) * np.exp(-(number + 1) / duration.astype(np.float32) * time) * np.sin(turns)
        )
    found *= 0.3 * strike.loudness[:, None].astype(np.float32)
    if hiss:
        found += hiss * rng.standard_normal(found.shape, dtype=np.float32)
    return found


def spectrogram(sounds: NDArray) -> NDArray[np.float32]:
    """The logarithm of the power in each band and frame, scaled to about -1 to 1: (sounds, samples) to (sounds, bands, frames).

    A frame has 256 samples under a Hann window, the next begins 128 later; there are 128 bands, each 31.25 Hz wide, from 0 Hz.

    Raises:
        ValueError: the sounds are not (sounds, samples) with at least one frame of samples.
    """
    sounds = np.asarray(sounds, dtype=np.float32)
    if sounds.ndim != 2 or sounds.shape[1] < WINDOW:
        raise ValueError(f"expected sounds of the shape (sounds, {WINDOW} or more), found {sounds.shape}")
    frames = np.lib.stride_tricks.sliding_window_view(sounds, WINDOW, axis=1)[:, ::HOP]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=-1)[..., : WINDOW // 2]) ** 2
    return ((np.log(power + 0.01).transpose(0, 2, 1) - 0.5) / 4).astype(np.float32)


def write_notes(
    parts: Parts,
    rng: np.random.Generator,
    *,
    missing: float = NOTE_MISSING,
    templates: Sequence[int] = USUAL,
    words: Sequence[int] = (0, 1, 2),
) -> Notes:
    """A worker's note about each part, which can be wrong or missing.

    Args:
        parts: what the notes are about.
        rng: where chance comes from.
        missing: the probability that there is no note.
        templates: which of `TEMPLATES` are used, each as often as any other.
        words: which of the four words for each value are used (`part_notes.WORDS`); word 3 is not in the usual training data.

    Raises:
        ValueError: a parameter is out of its range.
    """
    check_number("missing", missing, 0, 1)
    if not templates or not set(templates) <= set(range(len(TEMPLATES))):
        raise ValueError(f"templates must be numbers from 0 to {len(TEMPLATES) - 1}, not {templates}")
    if not words or not set(words) <= {0, 1, 2, 3}:
        raise ValueError(f"words must be numbers from 0 to 3, not {words}")
    number = len(parts)
    said = np.stack([_misread(parts.shape, "shape", 3, rng), _misread(parts.material, "material", 2, rng)], axis=1)
    said[rng.random(number) < missing] = -1
    template = np.asarray(templates)[rng.integers(len(templates), size=number)]
    word = np.asarray(words)[rng.integers(len(words), size=(number, 2))]
    texts = [
        ""
        if shape < 0
        else TEMPLATES[t].format(shape=WORDS["shape"][shape][first], material=WORDS["material"][material][second])
        for (shape, material), t, (first, second) in zip(said.tolist(), template.tolist(), word.tolist(), strict=True)
    ]
    return Notes(np.array(texts, dtype=np.str_), said)


def ceilings(cracked: float = CRACKED, missing: float = NOTE_MISSING) -> dict[tuple[str, str], float]:
    """The accuracy that no reader of a sense can exceed on average, by sense and property.

    A note's is counted: right if it is there and right, else a guess. For picture and sound it is the accuracy of Bayes'
    rule on the part's own traces, measured without noise: brightness for the material in the picture, overtones for the
    material and pitch and duration for a crack in the sound. Two normal distributions whose means differ by d' standard
    deviations are told apart with accuracy Phi(d'/2) if both are equally frequent. The shape in a picture without noise is
    always visible.
    """
    notes = {
        ("note", name): (1 - missing) * right + missing / values
        for (name, right), values in zip(NOTE_RIGHT.items(), (3, 2), strict=True)
    }
    crack = math.hypot(CRACK_LOWERS / SPREAD["pitch"], CRACK_DAMPS / SPREAD["damping"])
    return notes | {
        ("picture", "shape"): 1.0,
        ("picture", "material"): told_apart(BRASS_IS_BRIGHTER / SPREAD["lamp"]),
        ("sound", "material"): told_apart(BRASS_IS_DULLER / SPREAD["timbre"]),
        ("sound", "cracked"): told_apart(crack, cracked),
    }


def told_apart(distance: float, share: float = 0.5) -> float:
    """The best accuracy for two normal distributions with equal variance, of which the second has this share.

    Bayes' rule cuts where share · density is equal: log((1 - share) / share) / d' from the middle, towards the rarer one.

    Args:
        distance: d', between the means in standard deviations, above 0.
        share: from 0 to 1.
    """
    check_number("distance", distance, 0, above=True)
    check_number("share", share, 0, 1)
    if share in (0, 1):
        return 1.0
    shift = math.log((1 - share) / share) / distance
    normal = [0.5 * (1 + math.erf((distance / 2 + sign * shift) / math.sqrt(2))) for sign in (1, -1)]
    return (1 - share) * normal[0] + share * normal[1]


def _factor(name: str, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.exp(SPREAD[name] * rng.standard_normal(number))


def _fitting(nuisance: Any, parts: Parts) -> Any:
    if len(nuisance) != len(parts):
        raise ValueError(f"there are {len(parts)} parts, and a {type(nuisance).__name__} of {len(nuisance)}")
    return nuisance


def _misread(true: NDArray[np.int64], name: str, values: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The true value, or, if the worker is wrong, one of the others."""
    wrong = rng.random(len(true)) >= NOTE_RIGHT[name]
    return np.where(wrong, (true + rng.integers(1, values, size=len(true))) % values, true)


def _drawn(parts: Parts, view: View) -> NDArray[np.float32]:
    """Pictures without noise: the distance to the part's outline, made into a soft edge, times the light."""
    side = np.linspace(-1, 1, SIDE, dtype=np.float32)
    columns = [getattr(view, name).astype(np.float32)[:, None, None] for name in ("angle", "right", "down", "zoom")]
    angle, right, down, zoom = columns
    x, y = (side[None, None, :] - right) / zoom, (side[None, :, None] - down) / zoom
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    radius, around = np.hypot(u, v), np.arctan2(v, u)
    inside = np.stack(
        [
            np.minimum(
                0.46 + 0.07 * np.tanh(3 * np.cos(8 * around)) - radius, radius - 0.16
            ),  # gear: teeth, and a hole
            np.minimum(0.72 - np.abs(u), 0.2 - np.abs(v)),  # shaft
            np.minimum(
                np.minimum(0.48 - np.abs(u), 0.36 - np.abs(v)), np.hypot(np.abs(u) - 0.26, v) - 0.1
            ),  # two holes
        ]
    )[parts.shape, np.arange(len(parts))]
    light = BRIGHTNESS * view.lamp * np.exp(BRASS_IS_BRIGHTER * (parts.material - 0.5))
    return (light.astype(np.float32)[:, None, None] / (1 + np.exp(-inside / 0.03))).astype(np.float32)
