"""Frames of an animation as numbers of one palette: maps in rows and columns, lead time above, colour bars below."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from triton_earth.core.lead_times import lead_times
from triton_earth.core.wording import shortened, units_of, with_units
from triton_earth.plots.coastlines import coastlines_within, extent_of, is_geographic
from triton_earth.plots.colour_range import ColourRange
from triton_earth.plots.maps import height_for_width
from triton_earth.plots.style import MISSING_COLOUR, UNDEFINED_COLOUR, style

_GREYS = 32
_MISSING, _UNDEFINED = _GREYS, _GREYS + 1
_FIRST_COLOUR = _GREYS + 2
_COAST = 7
_DPI = 100
_WIDTH, _NARROWEST_MAP, _WIDEST_MAP, _WIDEST_CELL = 1035, 110, 330, 9
_BAR_LETTERS = 44
_GAP, _LEAD, _TITLE, _BAR_GAP, _BAR, _BOTTOM = 18, 30, 24, 10, 12, 36

Numbers = UInt8[np.ndarray, "y x"]


@dataclass(frozen=True)
class Tile:
    """One map of every frame.

    Attributes:
        title: What it shows.
        field: Values of shape (lead_time, y, x).
        is_error: Whether it has the colours of errors.
    """

    title: str
    field: xr.DataArray
    is_error: bool = False


class Frames:
    """Draws the frames of an animation.

    Attributes:
        leads: How many leads there are.
    """

    def __init__(
        self,
        tiles: Sequence[Sequence[Tile | None]],
        truth: xr.DataArray,
        title: str,
        field: ColourRange,
        error: ColourRange,
    ) -> None:
        """Lay out maps.

        Args:
            tiles: Maps in rows of equal length; None leaves a place empty.
            truth: The truth, shape (lead_time, y, x); where it has no value, all maps are shaded.
            title: The variable in words, for the colour bar.
            field: Colours of fields.
            error: Colours of errors.
        """
        self._tiles, self._truth = tiles, truth
        self._title = title
        self._field, self._error = field, error
        self._layout = _Layout.of(truth, len(tiles), len(tiles[0]))
        self.leads = truth.sizes["lead_time"]

    def shrunk(self, part: float) -> "Frames":
        """Return the same frames with maps of a part of their width and height."""
        smaller = copy.copy(self)
        rows, columns = len(self._tiles), len(self._tiles[0])
        smaller._layout = _Layout.of(self._truth, rows, columns, part)
        return smaller

    def palette(self, levels: int) -> list[int]:
        """Return red, green and blue (0 to 255) of every number that `draw` uses with so many colours a scale."""
        greys = np.repeat(np.linspace(0, 255, _GREYS)[:, None], 3, axis=1)
        plain = [
            [int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (MISSING_COLOUR, UNDEFINED_COLOUR)
        ]
        scales = [
            colours.colours(np.linspace(0, 1, levels))[:, :3] * 255
            for colours in (self._field, self._error)
        ]
        colours = np.concatenate([greys, np.array(plain), *scales])
        return [int(value) for value in colours.round().ravel()]

    def draw(self, levels: int, shown: Sequence[int]) -> Iterator[Numbers]:
        """Yield the frames of some leads.

        Args:
            levels: Colours of each of the two scales.
            shown: Indices of the leads.
        """
        background = self._background(levels)
        coasts = self._layout.coast(self._truth)
        leads = lead_times(self._truth["lead_time"])
        for index in shown:
            frame = background.copy()
            _paste_label(frame, leads.title(index))
            undefined = ~np.isfinite(self._truth.values[index])
            for row, tiles in enumerate(self._tiles):
                for column, tile in enumerate(tiles):
                    if tile is None:
                        continue
                    colours = self._error if tile.is_error else self._field
                    first = _FIRST_COLOUR + (levels if tile.is_error else 0)
                    numbers = _colour_numbers(tile.field.values[index], colours, levels, first)
                    numbers[undefined] = _UNDEFINED
                    pixels = self._layout.pixels(numbers)
                    pixels[self._layout.outline(undefined) if undefined.any() else coasts] = _COAST
                    frame[self._layout.map(row, column)] = pixels
            yield frame

    def _background(self, levels: int) -> Numbers:
        """Draw what is the same in every frame."""
        layout = self._layout
        height, width = layout.frame
        units = units_of(self._truth)
        bar = layout.bars[0][1]
        letters = max(8, min(_BAR_LETTERS, (bar.stop - bar.start) // 7) - len(units) - 3)
        words = shortened(self._title, letters)
        titles = (with_units(words, units), with_units("error", units))
        with style():
            figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
            canvas = FigureCanvasAgg(figure)
            for row, tiles in enumerate(self._tiles):
                for column, tile in enumerate(tiles):
                    if tile is not None:
                        rows, columns = layout.map(row, column)
                        figure.text(
                            columns.start / width,
                            1 - (rows.start - 6) / height,
                            shortened(tile.title, layout.width // 8),
                            fontweight="bold",
                            fontsize=9.5,
                        )
            for (rows, columns), colours, title in zip(
                layout.bars, (self._field, self._error), titles, strict=True
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
                axes.set_xlabel(title, fontsize=8, labelpad=1)
            canvas.draw()
            grey = np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=-1)
        frame = (grey / 255 * (_GREYS - 1)).round().astype(np.uint8)
        for (rows, columns), first in zip(layout.bars, (0, levels), strict=True):
            ramp = np.linspace(0, levels - 1, columns.stop - columns.start).round()
            frame[rows, columns] = ramp.astype(np.uint8) + np.uint8(_FIRST_COLOUR + first)
        return frame


@dataclass(frozen=True)
class _Layout:
    """Places in a frame, in pixels from the upper left: `rows` times `columns` maps of `height` times `width`."""

    rows: int
    columns: int
    height: int
    width: int

    @classmethod
    def of(cls, truth: xr.DataArray, rows: int, columns: int, part: float = 1.0) -> "_Layout":
        room = (_WIDTH - (columns + 1) * _GAP) / columns
        cells = truth.shape[-1]
        widest = float(np.clip(_WIDEST_CELL * cells, _NARROWEST_MAP, _WIDEST_MAP))
        wanted = part * float(np.clip(room, _NARROWEST_MAP, widest))
        # Whole pixels for each cell, so that all cells look alike; of very many cells some are left out.
        width = cells * max(1, round(wanted / cells)) if cells <= 1.5 * wanted else round(wanted)
        return cls(rows, columns, max(1, round(width * height_for_width(truth))), width)

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the whole frame."""
        below = _BAR_GAP + _BAR + _BOTTOM
        return (
            _LEAD + self.rows * (_TITLE + self.height) + below,
            (self.columns + 1) * _GAP + self.columns * self.width,
        )

    def map(self, row: int, column: int) -> tuple[slice, slice]:
        top = _LEAD + _TITLE + row * (_TITLE + self.height)
        left = _GAP + column * (self.width + _GAP)
        return slice(top, top + self.height), slice(left, left + self.width)

    @property
    def bars(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Places of the colour bars of fields, and of errors."""
        top = self.map(self.rows - 1, 0)[0].stop + _BAR_GAP
        rows = slice(top, top + _BAR)
        half = -(-self.columns // 2)
        edges = [self.map(0, column)[1] for column in (0, half - 1, half, self.columns - 1)]
        return (rows, slice(edges[0].start, edges[1].stop)), (
            rows,
            slice(edges[2].start, edges[3].stop),
        )

    def pixels(self, cells: Numbers) -> UInt8[np.ndarray, "height width"]:
        """Return a map of cells, south first, as pixels, north first."""
        y, x = (
            np.arange(size) * count // size
            for size, count in zip((self.height, self.width), cells.shape, strict=True)
        )
        return cells[::-1].take(y, axis=0).take(x, axis=1)

    def outline(self, undefined: Bool[np.ndarray, "y x"]) -> Bool[np.ndarray, "height width"]:
        """Return which pixels of a map lie on the border of undefined cells."""
        pixels = self.pixels(undefined.astype(np.uint8)).astype(bool)
        border = np.zeros_like(pixels)
        border[:, 1:] |= pixels[:, 1:] != pixels[:, :-1]
        border[1:] |= pixels[1:] != pixels[:-1]
        return border

    def coast(self, field: xr.DataArray) -> Bool[np.ndarray, "height width"]:
        """Return which pixels of a map are coastline."""
        image = Image.new("1", (self.width, self.height))
        if is_geographic(field):
            west, east, south, north = extent = extent_of(field)
            pen = ImageDraw.Draw(image)
            for line in coastlines_within(extent):
                x = (line[:, 0] - west) / (east - west) * self.width
                y = (north - line[:, 1]) / (north - south) * self.height
                pen.line([*zip(x.tolist(), y.tolist(), strict=True)], fill=1)
        return np.array(image, dtype=bool)


def _colour_numbers(
    values: Float[np.ndarray, "y x"], colours: ColourRange, levels: int, first: int
) -> Numbers:
    finite = np.isfinite(values)
    scaled = (np.clip(values, colours.low, colours.high) - colours.low) / (
        colours.high - colours.low
    )
    numbers = np.where(finite, scaled, 0.0) * (levels - 1) + 0.5
    return np.where(finite, numbers.astype(np.uint8) + np.uint8(first), _MISSING).astype(np.uint8)


def _paste_label(frame: Numbers, text: str) -> None:
    label = Image.new("L", (frame.shape[1] - 2 * _GAP, 22), 255)
    ImageDraw.Draw(label).text((0, 2), text, fill=40, font=_font())
    grey = (np.asarray(label) / 255 * (_GREYS - 1)).round().astype(np.uint8)
    frame[8:30, _GAP:-_GAP] = grey


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 14
    )
