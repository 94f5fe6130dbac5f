"""The report of a training run as a single HTML page, in the style of the report of an evaluation."""

from pathlib import Path

import numpy as np
import xarray as xr
from markupsafe import Markup

from triton_earth import __version__
from triton_earth.core.outputs.files import write_text
from triton_earth.core.wording import number, variable_names
from triton_earth.plots.embedding import svg_uri
from triton_earth.plots.page import Picture, Section, page, paragraph, render, together
from triton_earth.plots.sections.provenance import provenance_list
from triton_earth.plots.training_curves import (
    lead_losses,
    log_curves,
    rollout_errors,
    rollout_variances,
)

_MOST_VARIABLES = 8
_VARIANCES = {
    "log_variance_ratio": "variance",
    "log_small_scale_ratio": "variance in the upper half of wavenumbers",
}


def write_training_report(logs: xr.Dataset, path: Path, title: str) -> None:
    """Write the report of a run: what was reached, curves over steps, losses by lead, validation forecasts.

    Args:
        logs: Logs as `read_logs` gives them; attributes `selected_by` and `selected_score` say which weights were kept,
            `provenance` where they come from, `expected`, if it is there, how the run ended beside others of its
            recipe.
        path: Where the page goes; one that is there is replaced.
        title: Heading of the page.

    Raises:
        UserError: if the folder cannot be written.
    """
    variables = variable_names(logs)
    shown = variables[:_MOST_VARIABLES]
    pictures = [
        Section(
            "Course",
            Picture(
                svg_uri(log_curves(logs)),
                "Loss, validation score, learning rate, norm of the gradient and speed over steps.",
                "The loss is that of single batches; the validation score is that of the averaged weights."
                + (" Grey: other runs of the recipe." if "expected" in logs.attrs else ""),
            ).html(),
        ),
        Section(
            "Loss by lead",
            Picture(
                svg_uri(lead_losses(logs, shown)),
                "Training loss of each variable over steps, one line for each lead.",
                "Loss of each variable alone, the mean over single batches.",
            ).html()
            + _left_out(variables, "losses.csv"),
        ),
    ]
    if "rmse" in logs:
        pictures.append(
            Section(
                "Validation forecasts",
                Picture(
                    svg_uri(rollout_errors(logs, shown)),
                    "Error of validation forecasts over leads, early and late in training.",
                    "Root mean square error in units of the training standard deviation, from fixed initial times of "
                    "the validation split. Forecasts that are not finite are left out.",
                ).html()
                + _left_out(variables, "validation.csv"),
            )
        )
    if "log_variance_ratio" in logs:
        pictures.append(
            Section(
                "Stability of validation forecasts",
                together(
                    Picture(
                        svg_uri(rollout_variances(logs, name, shown)),
                        f"Logarithm of forecast over true {what} over leads, early and late in training.",
                        "0 is kept, below is lost, above is made up; forecasts that are not finite are left out.",
                    ).html()
                    for name, what in _VARIANCES.items()
                ),
            )
        )
    findings = [{"kind": kind, "text": text} for kind, text in _findings(logs)]
    sections = [
        Section("Outcome", render("findings.html", findings=findings)),
        *pictures,
        Section("Provenance", provenance_list({"provenance": logs.attrs["provenance"]})),
    ]
    steps = int(logs["step"].max()) if logs.sizes["step"] else 0
    subtitle = f"{steps} steps · {', '.join(shown)}" + (" …" if shown != variables else "")
    footer = f"Triton Earth {__version__}. This page is one file; it loads nothing."
    write_text(path, page(title, subtitle, sections, footer))


def _findings(logs: xr.Dataset) -> list[tuple[str, str]]:
    """Return findings on what the training reached."""
    validated = logs.isel(step=np.flatnonzero(np.isfinite(logs["persistence_mse"].values)))
    if not validated.sizes["step"]:
        return [("bad", "The logs hold no validation: their rows are lost.")]
    name, score = logs.attrs["selected_by"], logs.attrs["selected_score"]
    kept = int(
        np.argmin(np.where(np.isnan(validated[name].values), np.inf, validated[name].values))
    )
    last = validated.isel(step=-1)
    error, persistence = (float(last[key]) for key in ("validation_mse", "persistence_mse"))
    findings = [
        (
            "note",
            f"Kept are the weights of step {int(validated['step'].values[kept])}, with the lowest {name}: "
            f"{'not finite' if score is None else number(score)}.",
        ),
        (
            "good" if error < persistence else "bad",
            f"After the last step the squared error of one step ahead is {number(error / persistence)} times that of "
            "persistence on the validation split.",
        ),
    ]
    if "expected" in logs.attrs:
        findings.append(("note", logs.attrs["expected"]))
    if "rmse" in logs:
        end = (logs[["rmse", "persistence_rmse"]].isel(validated_step=-1) ** 2).mean("variable")
        leads = logs["validation_lead"].values
        better = leads[(end["rmse"] < end["persistence_rmse"]).values].tolist()
        words = f"at lead {', '.join(map(str, better))}" if better else "at none of these leads"
        findings.append(
            (
                "good" if len(better) == len(leads) else "bad",
                f"Validation forecasts to leads {', '.join(map(str, leads.tolist()))} are better than persistence "
                f"{'at all of them' if len(better) == len(leads) else words}.",
            )
        )
    if "log_variance_ratio" in logs:
        end = logs[list(_VARIANCES)].isel(validated_step=-1, validation_lead=-1).mean("variable")
        whole, small = (float(np.exp(end[name])) for name in _VARIANCES)
        findings.append(
            (
                "note",
                f"At lead {int(logs['validation_lead'].values[-1])} they have {number(whole)} times the truth's "
                f"variance, and {number(small)} times that of its small scales.",
            )
        )
    return findings


def _left_out(variables: list[str], file: str) -> Markup:
    hidden = variables[_MOST_VARIABLES:]
    if not hidden:
        return Markup("")
    return paragraph(f"Not shown here, but in {file}: {', '.join(hidden)}.")
