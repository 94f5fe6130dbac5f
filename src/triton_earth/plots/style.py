"""How every figure looks: fonts, lines, and colours that stay apart for colour-blind readers and on paper."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib.style
from matplotlib.colors import Colormap, LinearSegmentedColormap

from triton_earth.core.wording import baseline_key, is_baseline

TRUTH_COLOUR = "#000000"
MISSING_COLOUR = "#9d9d9d"
"""Where a forecast is not finite."""

UNDEFINED_COLOUR = "#e6e1d6"
"""Where a variable does not exist: land, for the ocean."""

INTERVAL_OPACITY = 0.16

_INK = "#2b2f36"
_RULES = "#d9dce1"

_STYLE: dict[str, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titley": 1.0,  # no search for what lies above the axes: nothing does
    "axes.labelsize": 9.0,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#8a9099",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULES,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "triton-earth",
}

_FIELD_COLOURS = (
    "#233260 #244985 #2561a6 #2f7ac2 #4794d9 #69aee9 #91c8f4 #bfe0fa #f6f6f6 "
    "#ffd3bd #fdaf8f #f18e6d #e06e53 #c95041 #ad3633 #8c2029 #681320"
)
_ERROR_COLOURS = (
    "#4a2559 #64367b #7e4b9a #9662b6 #ac7bce #c297e2 #d6b5f0 #e8d5f8 #f6f6f6 "
    "#c7e3c8 #9bcea4 #6eb886 #41a06f #00895b #006e4e #00553f #003d2f"
)

_MODEL_LOOKS = (
    ("#0072b2", "-"),
    ("#d55e00", "-"),
    ("#009e73", (0, (6, 1.5))),
    ("#cc79a7", (0, (4, 1, 1, 1))),
    ("#e69f00", (0, (6, 1.5))),
    ("#56b4e9", (0, (4, 1, 1, 1))),
)
_BASELINE_LOOKS = {
    "persistence": ("#7d838c", (0, (4, 2))),
    "damped_persistence": ("#7d838c", (0, (1, 1.4))),
    "climatology": ("#a58b5b", (0, (4, 1.5, 1, 1.5))),
    "linear_inverse_model": ("#5f7a6b", (0, (5, 1.5))),
    "damped_linear": ("#5f7a6b", (0, (1, 1.4))),
}


@dataclass(frozen=True)
class Look:
    """Colour and line style of one forecast, the same in every figure."""

    colour: str
    line: str | tuple[int, tuple[int | float, ...]]


def style() -> AbstractContextManager[None]:
    """Return the context in which every figure is made and drawn; what the user has set comes back after it."""
    return matplotlib.style.context(["default", _STYLE])


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the look of each source, truth first: black; baselines grey and dashed; models in colours."""
    result: dict[str, Look] = {}
    models = 0
    for name in sorted(names, key=lambda name: name != "truth"):
        if name == "truth":
            result[name] = Look(TRUTH_COLOUR, "-")
        elif is_baseline(name):
            result[name] = Look(*_BASELINE_LOOKS[baseline_key(name)])
        else:
            result[name] = Look(*_MODEL_LOOKS[models % len(_MODEL_LOOKS)])
            models += 1
    return result


def field_colours() -> Colormap:
    """Return the diverging map of fields: blue, near-white, red; CIELAB lightness linear on both sides."""
    return _colormap("triton_earth_field", _FIELD_COLOURS)


def error_colours() -> Colormap:
    """Return the diverging map of errors: purple, near-white, green; CIELAB lightness linear on both sides."""
    return _colormap("triton_earth_error", _ERROR_COLOURS)


def one_signed_colours() -> Colormap:
    """Return the sequential map of fields without a natural zero, such as a temperature in kelvin."""
    return matplotlib.colormaps["viridis"].with_extremes(bad=MISSING_COLOUR)


def _colormap(name: str, colours: str) -> Colormap:
    colormap = LinearSegmentedColormap.from_list(name, colours.split(), N=255)
    return colormap.with_extremes(bad=MISSING_COLOUR)
