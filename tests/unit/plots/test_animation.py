import io

import numpy as np
import pytest
from PIL import Image

from triton_earth.core.errors import UserError
from triton_earth.plots.animation import animation, write_animation


def frames(content):
    with Image.open(io.BytesIO(content)) as image:
        result = []
        for index in range(image.n_frames):
            image.seek(index)
            result.append(np.asarray(image.convert("RGB")))
        return result


def test_one_frame_per_lead_large_enough_to_see(make_example):
    drawn = frames(animation(make_example(leads=99, size=64), "vorticity"))
    assert len(drawn) == 100
    height, width, _ = drawn[0].shape
    assert width >= 3 * 256
    assert height >= 256


def test_it_loops_and_holds_the_last_frame(example):
    with Image.open(io.BytesIO(animation(example, "vorticity"))) as image:
        assert image.info["loop"] == 0
        first = image.info["duration"]
        image.seek(image.n_frames - 1)
        image.load()
        assert image.info["duration"] > first


def test_what_each_map_shows(example):
    example["truth"][:] = 0.0
    example["truth"][0, :, 0, 0] = -1.0
    example["truth"][0, :, -1, -1] = 1.0
    example["forecast"][:] = example["truth"]
    example["error"][:] = 0.0
    frame = frames(animation(example, "vorticity"))[3].astype(int)
    red, green, blue = frame[..., 0], frame[..., 1], frame[..., 2]
    dark_red = np.argwhere((red > green + 60) & (red > blue + 60))
    dark_blue = np.argwhere((blue > red + 40) & (blue > green + 20))
    upper = 54 + 256
    on_maps_red, on_maps_blue = dark_red[dark_red[:, 0] < upper], dark_blue[dark_blue[:, 0] < upper]
    assert on_maps_red[:, 0].mean() < on_maps_blue[:, 0].mean(), "y must point upwards"
    assert on_maps_red[:, 1].max() > 256, "the forecast must be beside the truth"


def test_missing_values_are_grey(example):
    example["forecast"][:, 2:] = np.nan
    drawn = frames(animation(example, "vorticity"))
    grey = (drawn[4] == 0xC9).all(axis=-1).sum()
    assert grey >= 256 * 256
    assert (drawn[1] == 0xC9).all(axis=-1).sum() < 500


def test_large_fields_are_thinned_and_small_files_stay_small(make_example):
    noisy = make_example(leads=60, size=128)
    random = np.random.default_rng(0)
    for name in ("truth", "forecast", "error"):
        noisy[name][:] = random.normal(size=noisy[name].shape)
    assert len(animation(noisy, "vorticity")) < 8_000_000
    wide = make_example(leads=1, size=700)
    height, width, _ = frames(animation(wide, "vorticity"))[0].shape
    assert width < 1700
    assert height < 700


def test_a_single_lead(make_example):
    assert len(frames(animation(make_example(leads=1, size=8), "vorticity"))) == 2


def test_file(example, tmp_path):
    path = write_animation(example, "vorticity", tmp_path / "new" / "animation.gif")
    assert len(frames(path.read_bytes())) == example.sizes["lead_time"]
    assert [file.name for file in path.parent.iterdir()] == ["animation.gif"]


def test_a_place_that_cannot_be_written(example, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_animation(example, "vorticity", tmp_path / "file" / "animation.gif")
