"""The pictures of the README, from what a bench of networks on turbulence has stored.

    python scripts/readme_pictures.py bench --variants "Triton" "FNO" "SimVP" "U-Net, modern" --out docs/pictures

The folder of a finished `triton-earth bench` holds the forecasts of the first seed of each variant. ``networks.webp``
shows one forecast of each beside the truth over all leads, ``networks_enstrophy.svg`` the spectra of all at the last
one.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from triton_earth.bench.config import load_bench
from triton_earth.bench.folder import BENCH, BenchFolder
from triton_earth.core.errors import UserError
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.evaluation.evaluate import evaluate_forecasts
from triton_earth.evaluation.spectra.names import BOX
from triton_earth.plots.animation import comparison, write_animation
from triton_earth.plots.sections.spectra import final_spectrum
from triton_earth.rollout.storage.forecast_store import ForecastStore

ANIMATION, SPECTRA = "networks.webp", "networks_enstrophy.svg"


def main() -> None:
    """Read the command line and write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path, help="folder of a bench")
    parser.add_argument("--variants", nargs="+", help="these alone; all by default")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    draw(arguments.bench, arguments.variants, arguments.out)


def draw(bench: Path, variants: Sequence[str] | None, out: Path) -> None:
    """Write the animation and the spectra of a bench.

    Args:
        bench: Its folder.
        variants: Which variants, in this order; None: all.
        out: Folder of the pictures.

    Raises:
        UserError: if a variant has no stored forecasts.
    """
    folder = BenchFolder(bench, load_bench(bench / BENCH))
    places = {
        name: folder.run(name, folder.config.seeds[0]) / "forecast.zarr"
        for name in variants or folder.config.variants
    }
    lacking = [name for name, place in places.items() if not place.is_dir()]
    if lacking:
        there = [name for name in folder.config.variants if name not in lacking]
        raise UserError(
            f"{bench} has no forecasts of '{lacking[0]}'; found {', '.join(there) or 'none'}. Choose of these, or "
            "finish the bench."
        )
    evaluation = evaluate_forecasts(
        [ForecastStore.open(place) for place in places.values()],
        TrainingStore.open(folder.store),
        names=list(places),
        resamples=2,
        examples=True,
    )
    (variable,) = evaluation.examples[0]["variable"].values.tolist()
    out.mkdir(parents=True, exist_ok=True)
    examples = dict(zip(places, evaluation.examples, strict=True))
    write_animation(comparison(examples, variable), out / ANIMATION)
    scores = evaluation.scores
    shown = scores.drop_vars([name for name in scores if str(name).endswith("_interval")]).sel(
        forecast=list(places), source=["truth", *places]
    )
    with mpl.rc_context({"svg.hashsalt": "triton-earth"}):
        final_spectrum(shown, BOX).savefig(out / SPECTRA, metadata={"Date": None})


if __name__ == "__main__":
    main()
