"""Makes what the package holds of the course of a shipped recipe from finished runs of it.

    python scripts/expected_course.py turbulence_small runs/0 runs/1 runs/2 --machine "1 core of an AMD EPYC"

The run folders come from `triton-earth train turbulence_small truth.zarr --out runs/0 seed=0` and so on; a
shipped model, which has the log of its run, will do too.
"""

import argparse
from pathlib import Path

from triton_earth.core.errors import UserError
from triton_earth.models.checkpoint import load_provenance
from triton_earth.training.logs.log import read_log
from triton_earth.workflow.recipes.expected_course import (
    FOLDER,
    course_of,
    settings_of,
    write_course,
)
from triton_earth.workflow.recipes.recipe import Recipe, load_recipe


def main() -> None:
    """Read the logs, check that they are of this recipe, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", help="name of a shipped recipe")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders, one for each seed")
    parser.add_argument("--machine", required=True, help="what they ran on")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    logs = {}
    for run in arguments.runs:
        trained = Recipe.parse(load_provenance(run)["training"]["recipe"], str(run))
        if settings_of(trained) != settings_of(recipe):
            raise UserError(
                f"{run} was trained with other settings than recipe {arguments.recipe} has; take runs of it as it is."
            )
        logs[trained.seed] = read_log(run)
    course = course_of(
        recipe,
        logs,
        name=arguments.recipe,
        machine=arguments.machine,
        command=f"triton-earth train {arguments.recipe} truth.zarr --out run seed=0",
    )
    write_course(course, FOLDER / f"{arguments.recipe}.json")


if __name__ == "__main__":
    main()
