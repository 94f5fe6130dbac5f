from triton_earth.plots.animation import animation
from triton_earth.plots.sections import example as seen


def test_the_caption_says_how_many_leads_are_shown(make_example, monkeypatch):
    example = make_example(leads=8, size=8)
    all_of_them = animation(example, "vorticity")
    assert "Vorticity, over all leads. Error." in seen._moving(
        all_of_them, 9, "alt", "Vorticity", "Error."
    )
    monkeypatch.setattr("triton_earth.plots.animation._MOST_FRAMES", 4)
    some = animation(example, "vorticity")
    assert "Vorticity, over 4 of 9 leads, the start among them. Error." in seen._moving(
        some, 9, "alt", "Vorticity", "Error."
    )
