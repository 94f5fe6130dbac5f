"""Moving pictures of forecasts over all leads: truth, forecast and error, or the truth and several models side by side.

A frame's titles and colour bars are drawn once; of each lead only the maps and the lead time are pasted in, as numbers
of a palette that all frames share.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from PIL import Image

from triton_earth.core.outputs.files import write_bytes
from triton_earth.core.wording import variable_title
from triton_earth.plots.colour_range import error_range, field_range
from triton_earth.plots.frames import Frames, Tile

Format = Literal["webp", "gif"]

_LARGEST_BYTES = 3_000_000
_TOTAL_MILLISECONDS, _SHORTEST, _LONGEST, _LAST = 8000, 60, 250, 1500
_MOST_FRAMES = 122
_ECONOMIES = (
    (63, 1.0, 1),
    (31, 1.0, 1),
    (31, 0.6, 1),
    (15, 0.6, 1),
    (15, 0.4, 1),
    (15, 0.4, 2),
    (15, 0.4, 4),
)
"""Colours of each of the two scales, size of the maps, and of how many leads one is shown."""


def animation(example: xr.Dataset, variable: str, file_format: Format = "webp") -> bytes:
    """Return truth, forecast and error of one variable over all leads as a picture that moves and loops.

    A WebP holds the colours exactly; a GIF is for programs that cannot show one. Where the file would be larger than
    3 MB, fewer colours are used and smaller maps are drawn, and only then fewer leads.

    Args:
        example: `truth`, `forecast` and `error` of shape (variable, lead_time, y, x) from one initial condition;
            the last two dimensions may have other names.
        variable: Which variable.
        file_format: ``webp`` or ``gif``.

    Returns:
        The file's content; of more than 122 leads some are left out.

    Raises:
        KeyError: if the variable is not in `example`.
    """
    chosen = example.sel(variable=variable)
    field = field_range(chosen["truth"])
    error = error_range(chosen["error"], field)
    tiles = [
        Tile("Truth", chosen["truth"]),
        Tile("Forecast", chosen["forecast"]),
        Tile("Error", chosen["error"], is_error=True),
    ]
    title = variable_title(example, variable)
    return _encode(Frames([tiles], chosen["truth"], title, field, error), file_format)


def comparison(
    examples: Mapping[str, xr.Dataset], variable: str, file_format: Format = "webp"
) -> bytes:
    """Return the truth and several models side by side over all leads, their errors below them.

    Args:
        examples: For each model by name what `animation` takes, of the same initial condition and leads.
        variable: Which variable.
        file_format: ``webp`` or ``gif``.

    Returns:
        The file's content, as of `animation`.

    Raises:
        KeyError: if the variable is not in one of `examples`.
    """
    chosen = {name: example.sel(variable=variable) for name, example in examples.items()}
    truth = next(iter(chosen.values()))["truth"]
    field = field_range(truth)
    errors = xr.concat([example["error"] for example in chosen.values()], dim="model")
    tiles: list[list[Tile | None]] = [
        [Tile("Truth", truth), *(Tile(name, one["forecast"]) for name, one in chosen.items())],
        [None, *(Tile("Error", one["error"], is_error=True) for one in chosen.values())],
    ]
    title = variable_title(next(iter(examples.values())), variable)
    frames = Frames(tiles, truth, title, field, error_range(errors, field))
    return _encode(frames, file_format)


def leads_shown(content: bytes) -> int:
    """Return how many leads, the initial state among them, `animation` or `comparison` shows."""
    with Image.open(io.BytesIO(content)) as image:
        return int(getattr(image, "n_frames", 1))


def write_animation(content: bytes, path: Path) -> Path:
    """Write an animation of `animation` or `comparison` to a file, whole or not at all, in place of an existing one."""
    write_bytes(path, content)
    return path


def _encode(frames: Frames, file_format: Format) -> bytes:
    every = -(-frames.leads // _MOST_FRAMES)
    save = {"webp": _webp, "gif": _gif}[file_format]
    content = b""
    for levels, part, thinned in _ECONOMIES:
        content = _save(frames.shrunk(part), levels, every * thinned, save)
        if len(content) <= _LARGEST_BYTES:
            break
    return content


def _save(frames: Frames, levels: int, every: int, save: Callable[..., None]) -> bytes:
    last = frames.leads - 1
    shown = sorted({*range(0, frames.leads, every), last})
    palette = frames.palette(levels)
    images = []
    for numbers in frames.draw(levels, shown):
        image = Image.fromarray(numbers)
        image.putpalette(palette)
        images.append(image)
    each = int(np.clip(_TOTAL_MILLISECONDS / len(shown), _SHORTEST, _LONGEST))
    buffer = io.BytesIO()
    save(images, [each] * (len(shown) - 1) + [_LAST], buffer)
    return buffer.getvalue()


def _webp(images: Iterable[Image.Image], durations: Sequence[int], buffer: io.BytesIO) -> None:
    first, *rest = (image.convert("RGB") for image in images)
    first.save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=rest,
        duration=list(durations),
        loop=0,
        lossless=True,
        quality=0,
        method=1,
        kmax=0,  # no frame is packed twice, once as a whole and once as a difference
    )


def _gif(images: Iterable[Image.Image], durations: Sequence[int], buffer: io.BytesIO) -> None:
    first, *rest = images
    first.save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=list(durations),
        loop=0,
        optimize=False,
    )
