import io

import numpy as np
import pytest
from PIL import Image

from triton_earth.core.errors import UserError
from triton_earth.plots.animation import animation, comparison, leads_shown, write_animation
from triton_earth.plots.sections.example import one_forecast, several_models


def frames(content):
    with Image.open(io.BytesIO(content)) as image:
        result = []
        for index in range(image.n_frames):
            image.seek(index)
            result.append(np.asarray(image.convert("RGB")))
        return result


def test_one_frame_per_lead_large_enough_to_see(make_example):
    drawn = frames(animation(make_example(leads=30, size=64), "vorticity"))
    assert len(drawn) == 31
    height, width, _ = drawn[0].shape
    assert width >= 3 * 256
    assert height >= 256


def test_it_loops_and_holds_the_last_frame(example):
    with Image.open(io.BytesIO(animation(example, "vorticity"))) as image:
        assert image.info["loop"] == 0
        image.load()
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
    upper = 54 + 320
    on_maps_red, on_maps_blue = dark_red[dark_red[:, 0] < upper], dark_blue[dark_blue[:, 0] < upper]
    assert on_maps_red[:, 0].mean() < on_maps_blue[:, 0].mean(), "y must point upwards"
    assert on_maps_red[:, 1].max() > 256, "the forecast must be beside the truth"


def test_missing_values_are_grey(example):
    example["forecast"][:, 2:] = np.nan
    drawn = frames(animation(example, "vorticity"))
    grey = (drawn[4] == 0x9D).all(axis=-1).sum()
    assert grey >= 256 * 256
    assert (drawn[1] == 0x9D).all(axis=-1).sum() < 500


def test_a_file_that_would_be_large_has_fewer_colours_smaller_maps_and_only_then_fewer_leads(
    make_example, monkeypatch
):
    noisy = make_example(leads=8, size=32)
    random = np.random.default_rng(0)
    for name in ("truth", "forecast", "error"):
        noisy[name][:] = random.normal(size=noisy[name].shape)
    free = animation(noisy, "vorticity")
    monkeypatch.setattr("triton_earth.plots.animation._LARGEST_BYTES", len(free) * 4 // 5)
    kept = animation(noisy, "vorticity")
    assert len(kept) <= len(free) * 4 // 5
    assert leads_shown(kept) == len(frames(kept)) == 9
    monkeypatch.setattr("triton_earth.plots.animation._LARGEST_BYTES", len(free) // 6)
    least = animation(noisy, "vorticity")
    assert len(least) < len(kept)
    assert leads_shown(least) == len(frames(least)) in (5, 3)
    assert frames(least)[0].shape < frames(free)[0].shape


@pytest.mark.slow
def test_99_leads_of_turbulence_are_all_in_the_gif(make_example):
    """Fine structures in every cell of 64 x 64, which no compression likes."""
    example = make_example(leads=99, size=64)
    random = np.random.default_rng(0)
    for name in ("truth", "forecast", "error"):
        waves = np.fft.rfft2(random.normal(size=example[name].shape))
        k = np.hypot(np.fft.fftfreq(64, 1 / 64)[:, None], np.fft.rfftfreq(64, 1 / 64))
        example[name][:] = np.fft.irfft2(waves / (1 + (k / 4) ** 2))
    assert leads_shown(animation(example, "vorticity", "gif")) == 100


def test_of_a_large_field_some_cells_are_left_out(make_example):
    height, width, _ = frames(animation(make_example(leads=1, size=700), "vorticity"))[0].shape
    assert width < 1100
    assert height < 500


def test_a_single_lead(make_example):
    assert len(frames(animation(make_example(leads=1, size=8), "vorticity"))) == 2


def test_of_very_many_leads_some_are_left_out_but_not_the_last(make_example):
    drawn = frames(animation(make_example(leads=365, size=8), "vorticity", "gif"))
    assert len(drawn) == 123
    few = make_example(leads=2, size=8)
    few["truth"][0, 2] *= -1
    assert not np.array_equal(*frames(animation(few, "vorticity"))[1:])


def test_a_webp_has_the_colours_of_the_gif(example):
    one, two = (frames(animation(example, "vorticity", name)) for name in ("webp", "gif"))
    assert len(one) == len(two) == 9
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_models_stand_beside_the_truth_with_their_errors_below(example):
    flat = example.copy(deep=True)
    flat["forecast"][:], flat["error"][:] = 0.0, -example["truth"]
    drawn = frames(comparison({"one": example, "flat": flat}, "vorticity"))
    assert len(drawn) == 9
    height, width, _ = drawn[3].shape
    third = drawn[3][60 : height // 2 - 40, 2 * width // 3 + 20 : width - 20].astype(int)
    assert np.ptp(third.reshape(-1, 3), axis=0).max() < 8, "the flat forecast has one colour"
    below = drawn[3][height // 2 + 40 : height - 80].astype(int)
    assert (below[:, : width // 3 - 20] > 250).all(), "nothing is below the truth"
    assert np.ptp(below[:, 2 * width // 3 + 20 : width - 20].reshape(-1, 3), axis=0).min() > 50


def test_land_is_shaded_and_a_coast_drawn_on_a_map(make_example):
    example = make_example(leads=2, size=32, latlon=True)
    for name in example.data_vars:
        example[name][..., 10:20, 10:20] = np.nan
    drawn = frames(animation(example, "vorticity"))[1]
    assert (drawn == (0xE6, 0xE1, 0xD6)).all(axis=-1).sum() > 3 * 90 * 90
    assert not (drawn == 0x9D).all(axis=-1).any()
    dark = (drawn[60:-60] < 0x50).all(axis=-1)
    assert dark[:, 19:330].sum() > 100, "Japan"


def test_file(example, tmp_path):
    content = animation(example, "vorticity", "gif")
    path = write_animation(content, tmp_path / "new" / "animation.gif")
    assert len(frames(path.read_bytes())) == example.sizes["lead_time"]
    assert [file.name for file in path.parent.iterdir()] == ["animation.gif"]


def test_a_place_that_cannot_be_written(example, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_animation(b"", tmp_path / "file" / "animation.gif")


@pytest.mark.slow
def test_anomalies_move_beside_the_fields(make_example):
    example = make_example(leads=3, size=8)
    plain = one_forecast(example)
    marked = example.assign(
        truth_anomaly=example["truth"] - 1, forecast_anomaly=example["forecast"] - 1
    ).assign_attrs(anomalies=["vorticity"])
    both = one_forecast(marked)
    assert both.count("Animation of") == plain.count("Animation of") + 1
    assert "Vorticity, anomaly from climatology" in both
    several = several_models({"a": marked, "b": marked})
    assert "Animation of the anomaly of vorticity: the truth, a, b side by side." in several
