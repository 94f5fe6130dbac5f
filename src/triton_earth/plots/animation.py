"""An animated GIF of one forecast over all leads: truth, forecast and error side by side.

The frame (titles, colour bars) is drawn once; of each lead only the three maps and the lead time are pasted in, as
numbers of a palette that all frames share.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from triton_earth.core.files import write_bytes
from triton_earth.plots.colour_range import ColourRange, error_range, field_range
from triton_earth.plots.labels import shortened, units_of, with_units
from triton_earth.plots.lead_times import lead_times
from triton_earth.plots.style import MISSING_COLOUR, style

_GREYS = 32
_MISSING = _GREYS
_FIRST_COLOUR = _GREYS + 1
_DPI = 100
_MAP_PIXELS = 256
_GAP, _TOP, _BAR_GAP, _BAR, _BOTTOM = 18, 54, 10, 12, 36
_MILLISECONDS, _LAST_MILLISECONDS = 80, 1500
_LARGEST_BYTES = 6_000_000
_LEVELS = (63, 41, 27, 15)

Indices = UInt8[np.ndarray, "y x"]


def animation(example: xr.Dataset, variable: str) -> bytes:
    """Return truth, forecast and error of one variable over all leads as an animated GIF that loops.

    Small fields are enlarged to about 256 pixels. Where the file would be larger than 6 MB, fewer colours are used.

    Args:
        example: `truth`, `forecast` and `error` of shape (variable, lead_time, y, x) from one initial condition;
            the last two dimensions may have other names.
        variable: Which variable.

    Returns:
        The file's content, one frame per lead.

    Raises:
        KeyError: if the variable is not in `example`.
    """
    chosen = example.sel(variable=variable)
    content = b""
    for levels in _LEVELS:
        content = _encode(chosen, variable, levels)
        if len(content) <= _LARGEST_BYTES:
            break
    return content


def write_animation(example: xr.Dataset, variable: str, path: Path) -> Path:
    """Write what `animation` returns to a file, all of it or nothing.

    Args:
        example: As for `animation`.
        variable: Which variable.
        path: The file; one that is there is replaced.

    Returns:
        The path.

    Raises:
        KeyError: if the variable is not in `example`.
    """
    write_bytes(path, animation(example, variable))
    return path


@dataclass(frozen=True)
class _Layout:
    """Places in a frame, in pixels from the upper left."""

    height: int
    width: int
    enlarge: int
    stride: int

    @classmethod
    def of(cls, ny: int, nx: int) -> "_Layout":
        stride = -(-max(ny, nx) // (2 * _MAP_PIXELS))
        ny, nx = -(-ny // stride), -(-nx // stride)
        enlarge = max(1, round(_MAP_PIXELS / max(ny, nx)))
        return cls(ny * enlarge, nx * enlarge, enlarge, stride)

    @property
    def frame(self) -> tuple[int, int]:
        return _TOP + self.height + _BAR_GAP + _BAR + _BOTTOM, 4 * _GAP + 3 * self.width

    def map(self, column: int) -> tuple[slice, slice]:
        left = _GAP + column * (self.width + _GAP)
        return slice(_TOP, _TOP + self.height), slice(left, left + self.width)

    @property
    def bars(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        top = _TOP + self.height + _BAR_GAP
        rows = slice(top, top + _BAR)
        left, right = self.map(0)[1].start, self.map(2)[1].start
        return (rows, slice(left, self.map(1)[1].stop)), (rows, slice(right, right + self.width))


def _encode(chosen: xr.Dataset, variable: str, levels: int) -> bytes:
    field = field_range(chosen["truth"])
    error = error_range(chosen["error"], field)
    layout = _Layout.of(*chosen["truth"].shape[-2:])
    frames = _frames(chosen, variable, levels, layout, field, error)
    palette = _palette(field, error, levels)
    images = []
    for frame in frames:
        image = Image.fromarray(frame)
        image.putpalette(palette)
        images.append(image)
    durations = [_MILLISECONDS] * len(images)
    durations[-1] = _LAST_MILLISECONDS
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _frames(
    chosen: xr.Dataset,
    variable: str,
    levels: int,
    layout: _Layout,
    field: ColourRange,
    error: ColourRange,
) -> Iterator[Indices]:
    background = _background(chosen, variable, layout, field, error)
    ramp = np.linspace(0, levels - 1, 2048).round().astype(np.uint8) + np.uint8(_FIRST_COLOUR)
    for (rows, columns), first in zip(layout.bars, (0, levels), strict=True):
        picked = np.linspace(0, len(ramp) - 1, columns.stop - columns.start).astype(int)
        background[rows, columns] = ramp[picked] + np.uint8(first)
    leads = lead_times(chosen["lead_time"])
    font = ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 14
    )
    for index in range(len(leads.values)):
        frame = background.copy()
        _paste_label(frame, leads.title(index), font)
        for column, (name, colours, first) in enumerate(
            (("truth", field, 0), ("forecast", field, 0), ("error", error, levels))
        ):
            values = chosen[name].values[index, :: layout.stride, :: layout.stride][::-1]
            numbers = _colour_numbers(values, colours, levels, first)
            frame[layout.map(column)] = np.repeat(
                np.repeat(numbers, layout.enlarge, axis=0), layout.enlarge, axis=1
            )
        yield frame


def _colour_numbers(
    values: Float[np.ndarray, "y x"], colours: ColourRange, levels: int, first: int
) -> Indices:
    finite = np.isfinite(values)
    scaled = (np.clip(values, colours.low, colours.high) - colours.low) / (
        colours.high - colours.low
    )
    numbers = np.where(finite, scaled, 0.0) * (levels - 1) + 0.5
    return np.where(
        finite, numbers.astype(np.uint8) + np.uint8(_FIRST_COLOUR + first), _MISSING
    ).astype(np.uint8)


def _background(
    chosen: xr.Dataset, variable: str, layout: _Layout, field: ColourRange, error: ColourRange
) -> Indices:
    """Draw what is the same in every frame, as numbers of the palette's greys."""
    height, width = layout.frame
    units = units_of(chosen["truth"])
    words = variable.replace("_", " ")
    with style():
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        canvas = FigureCanvasAgg(figure)
        for column, name in enumerate(("Truth", "Forecast", "Error")):
            rows, columns = layout.map(column)
            figure.text(
                columns.start / width,
                1 - (rows.start - 6) / height,
                name,
                fontweight="bold",
                fontsize=9.5,
            )
        titles = (with_units(words, units), with_units("error", units))
        for (rows, columns), colours, title in zip(
            layout.bars, (field, error), titles, strict=True
        ):
            axes = figure.add_axes(
                (
                    columns.start / width,
                    1 - rows.stop / height,
                    (columns.stop - columns.start) / width,
                    (rows.stop - rows.start) / height,
                )
            )
            axes.set(xlim=(colours.low, colours.high), yticks=[])
            axes.grid(visible=False)
            axes.tick_params(labelsize=7.5, length=2.5, pad=1.5)
            axes.set_xlabel(shortened(title, 40), fontsize=8, labelpad=1)
        canvas.draw()
        grey = np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=-1)
    return (grey / 255 * (_GREYS - 1)).round().astype(np.uint8)


def _paste_label(frame: Indices, text: str, font: ImageFont.FreeTypeFont) -> None:
    label = Image.new("L", (frame.shape[1] - 2 * _GAP, 22), 255)
    ImageDraw.Draw(label).text((0, 2), text, fill=40, font=font)
    grey = (np.asarray(label) / 255 * (_GREYS - 1)).round().astype(np.uint8)
    frame[8:30, _GAP:-_GAP] = grey


def _palette(field: ColourRange, error: ColourRange, levels: int) -> list[int]:
    greys = np.repeat(np.linspace(0, 255, _GREYS)[:, None], 3, axis=1)
    missing = np.array([[int(MISSING_COLOUR[i : i + 2], 16) for i in (1, 3, 5)]])
    maps = [colours.colours(np.linspace(0, 1, levels))[:, :3] * 255 for colours in (field, error)]
    return np.concatenate([greys, missing, *maps]).round().astype(int).ravel().tolist()
