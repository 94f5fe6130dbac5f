"""What every score means, as HTML."""

from collections.abc import Mapping

import xarray as xr
from markupsafe import Markup

from triton_earth.core.wording import long_name, units_of
from triton_earth.plots.page import Cell, Section, table


def definition_sections(scores: xr.Dataset, examples: Mapping[str, xr.Dataset]) -> list[Section]:
    """Return the section that defines every score."""
    return [Section("Definitions", definitions_table(scores))]


def definitions_table(scores: xr.Dataset) -> Markup:
    """Return name, units and definition of every score that is there, as HTML of one table.

    Those by region are defined as everywhere.
    """
    rows = []
    for name, array in scores.data_vars.items():
        definition = str(array.attrs.get("definition", ""))
        if (
            str(name).endswith("_interval")
            or {"init", "region"} & set(array.dims)
            or not definition
        ):
            continue
        words = long_name(array)
        title = Cell(
            words[:1].upper() + words[1:], Markup("<code>{}</code>").format(str(name)), scope="row"
        )
        rows.append([title, Cell(units_of(array)), Cell(definition)])
    return table("definitions", ["Score", "Units", "Definition"], rows)
