import pytest
import yaml

from triton_earth.bench.config import BenchConfig
from triton_earth.bench.folder import BenchFolder
from triton_earth.core.errors import UserError

BENCH = {
    "title": "Bench",
    "recipe": "turbulence_small",
    "variants": {"one": {}},
    "budget": {"samples": 800},
}


def folder(path, **changes):
    return BenchFolder(path, BenchConfig.parse(BENCH | changes, "here"))


def test_variants_and_seeds_may_be_added(tmp_path):
    folder(tmp_path / "out").claim()
    more = folder(
        tmp_path / "out", title="New", variants={"one": {}, "two": {}}, seeds=[0, 1, 2, 3]
    )
    more.claim()
    more.claim()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"variants": {"one": {"train.noise": 0.5}}}, "variants.one"),
        ({"budget": {"samples": 900}}, "budget"),
        ({"leads": [1]}, "leads"),
        ({"search": {"rates": [1e-3]}}, "search"),
        ({"overrides": {"train.noise": 0.5}}, "overrides"),
    ],
)
def test_another_bench_is_refused(tmp_path, changes, key):
    folder(tmp_path / "out").claim()
    before = (tmp_path / "out" / "bench.yaml").read_bytes()
    with pytest.raises(UserError, match=rf"is the folder of another bench: its '{key}' differs\."):
        folder(tmp_path / "out", **changes).claim()
    assert (tmp_path / "out" / "bench.yaml").read_bytes() == before


def test_the_folder_of_an_older_version_is_gone_on_with(tmp_path):
    here = folder(tmp_path / "out")
    here.claim()
    file = tmp_path / "out" / "bench.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    del values["baselines"]
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    here.claim()


def test_a_row_is_whole_or_absent(tmp_path):
    here = folder(tmp_path / "out")
    assert here.read_row(here.run("one", 0)) is None
    here.write_row(here.run("one", 0), {"seed": 0})
    assert here.read_row(here.run("one", 0)) == {"seed": 0}
    (here.run("one", 0) / "row.json").write_text("{", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"row\.json cannot be read .* the row of a bench is damaged"
    ):
        here.read_row(here.run("one", 0))
