import matplotlib
import numpy as np
import pytest

from triton_earth.core.wording import is_baseline
from triton_earth.plots.style import error_colours, field_colours, looks, style


def lightness(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB L* of sRGB colours."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return 116 * np.cbrt(luminance) - 16


@pytest.mark.parametrize("colours", [field_colours(), error_colours()])
def test_lightness_is_linear_and_the_same_on_both_sides_of_zero(colours):
    values = np.linspace(0, 1, 255)
    light = lightness(colours(values)[:, :3])
    side = np.linspace(22, 97, 128)
    expected = np.concatenate([side, side[-2::-1]])
    np.testing.assert_allclose(light, expected, atol=1.5)


def test_zero_is_neutral():
    for colours in (field_colours(), error_colours()):
        red, green, blue = colours(0.5)[:3]
        assert red == green == blue


def test_truth_is_black_and_models_differ():
    chosen = looks(["truth", "triton", "fno", "persistence", "climatology"])
    assert chosen["truth"].colour == "#000000"
    assert len({(look.colour, look.line) for look in chosen.values()}) == 5


def test_a_model_keeps_its_look_whether_truth_is_drawn_or_not():
    assert (
        looks(["truth", "triton", "persistence"])["triton"]
        == looks(["triton", "persistence"])["triton"]
    )


def test_baselines_by_any_spelling():
    assert is_baseline("damped persistence")
    assert is_baseline("Persistence")
    assert not is_baseline("persistence (forecast)")


def test_nothing_leaks():
    before = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert dict(matplotlib.rcParams) == before
