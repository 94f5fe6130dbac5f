from typing import Annotated, Literal

import pydantic
import pytest

from triton_earth.core.config import StrictConfig, apply_overrides, read_yaml, to_yaml
from triton_earth.core.errors import UserError, nearest


class Disc(StrictConfig):
    kind: Literal["disc"] = "disc"
    radius: float = pydantic.Field(default=1.0, gt=0)


class Square(StrictConfig):
    kind: Literal["square"] = "square"
    side_length: float = 1.0
    precision: Literal["low", "high"] = "low"

    @pydantic.model_validator(mode="after")
    def _even(self):
        if self.side_length == 13:
            raise ValueError("13 brings bad luck")
        if self.side_length == 14:
            raise UserError("14 is taken; choose 15.")
        return self


class Frame(StrictConfig):
    width: int = 1


class Drawing(StrictConfig):
    title: str
    shape: Annotated[Disc | Square, pydantic.Field(discriminator="kind")] = Disc()
    copies: int = 1
    frame: Annotated[
        Frame, pydantic.BeforeValidator(lambda values: Frame.parse(values, "frame"))
    ] = Frame()


def message(values):
    with pytest.raises(UserError) as caught:
        Drawing.parse(values, "drawing.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"title": "a", "copeis": 2},
            "drawing.yaml: unknown key 'copeis'; did you mean 'copies'?",
        ),
        (
            {"title": "a", "shape": {"kind": "square", "side_lenght": 2}},
            "drawing.yaml: unknown key 'shape.side_lenght'; did you mean 'side_length'?",
        ),
        (
            {"title": "a", "shape": {"kind": "disc", "side_length": 2}},
            "drawing.yaml: unknown key 'shape.side_length'; known are kind, radius.",
        ),
        # The name of an option's value is no tag of a union.
        (
            {"title": "a", "shape": {"kind": "square", "low": 2}},
            "drawing.yaml: unknown key 'shape.low'; known are kind, precision, side_length.",
        ),
        ({}, "drawing.yaml: key 'title' is missing; add it."),
        ({"titel": "a"}, "drawing.yaml: unknown key 'titel'; did you mean 'title'?"),
        (
            {"title": "a", "shape": {"knd": "disc"}},
            "drawing.yaml: unknown key 'shape.knd'; did you mean 'kind'?",
        ),
        ({"title": "a", "shape": {}}, "drawing.yaml: key 'shape.kind' is missing; add it."),
        (
            {"title": "a", "frame": {"widht": 2}},
            "drawing.yaml: unknown key 'frame.widht'; did you mean 'width'?",
        ),
        (
            {"title": "a", "frame": {"width": "x"}},
            "drawing.yaml: key 'frame.width': Input should be a valid integer, unable to parse string as an "
            "integer, found 'x'.",
        ),
        (
            {"title": "a", "copies": "many"},
            "drawing.yaml: key 'copies': Input should be a valid integer, unable to parse string as an "
            "integer, found 'many'.",
        ),
        (
            {"title": "a", "shape": {"kind": "disc", "radius": -1}},
            "drawing.yaml: key 'shape.radius': Input should be greater than 0, found -1.",
        ),
        (
            {"title": "a", "shape": {"kind": "square", "side_length": 13}},
            "drawing.yaml: key 'shape': 13 brings bad luck.",
        ),
        (
            {"title": "a", "shape": {"kind": "square", "side_length": 14}},
            "drawing.yaml: shape: 14 is taken; choose 15.",
        ),
    ],
)
def test_a_wrong_configuration_is_explained_in_one_line(values, expected):
    assert message(values) == expected


def test_an_unknown_member_of_a_union_lists_the_known_ones():
    text = message({"title": "a", "shape": {"kind": "circle"}})
    assert text == "drawing.yaml: key 'shape.kind': unknown kind 'circle'; known are disc, square."
    text = message({"title": "a", "shape": {"kind": "sqare"}})
    assert text == "drawing.yaml: key 'shape.kind': unknown kind 'sqare'; did you mean 'square'?"


@pytest.mark.parametrize(("values", "found"), [([1], "list"), ("text", "str"), (None, "NoneType")])
def test_a_configuration_must_be_a_mapping(values, found):
    assert f"expected a mapping of keys to values, found {found}." in message(values)


def test_a_configuration_is_frozen():
    drawing = Drawing(title="a")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        drawing.copies = 2


def test_nearest_lists_all_names_where_none_is_like_it():
    assert nearest("zzz", ["b", "a"]) == "known are a, b."
    assert nearest("batchsize", ["batch_size", "steps"]) == "did you mean 'batch_size'?"


# --- overrides


def test_overrides_set_nested_keys_and_leave_the_original_alone():
    values = {"train": {"steps": 5, "batch_size": 2}, "seed": 0}
    result = apply_overrides(
        values, ["train.steps=7", "data.splits={train: 3, test: 1}", "seed=3", "title=a=b"]
    )
    assert result == {
        "train": {"steps": 7, "batch_size": 2},
        "data": {"splits": {"train": 3, "test": 1}},
        "seed": 3,
        "title": "a=b",
    }
    assert values == {"train": {"steps": 5, "batch_size": 2}, "seed": 0}


def test_a_key_below_one_that_is_off_switches_it_on():
    values = {"forecast": {"stabilizers": {"range_clamp": None}}}
    result = apply_overrides(values, ["forecast.stabilizers.range_clamp.margin=0.1"])
    assert result == {"forecast": {"stabilizers": {"range_clamp": {"margin": 0.1}}}}
    assert values == {"forecast": {"stabilizers": {"range_clamp": None}}}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.steps", "override 'train.steps': expected KEY=VALUE, for example"),
        ("=4", "override '=4': expected KEY=VALUE"),
        ("seed.x=4", "override 'seed.x=4': 'seed' holds a plain value and has no keys below it."),
        ("seed=[1", "override 'seed=[1': not valid YAML at line 1: expected ',' or ']'"),
    ],
)
def test_a_wrong_override_is_refused(override, expected):
    with pytest.raises(UserError) as caught:
        apply_overrides({"seed": 0}, [override])
    assert expected in str(caught.value)


# --- YAML files


def test_read_yaml_gives_the_mapping(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("title: Größe\ntrain: {steps: 3}\n", encoding="utf-8")
    assert read_yaml(path) == {"title": "Größe", "train": {"steps": 3}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- 1\n- 2\n", "expected a mapping of keys to values, found list."),
        (b"", "the file is empty; expected a mapping of keys to values. Start from one of"),
        (b"a: 1\nb: [1, 2\n", "not valid YAML at line 3:"),
        (b"\xff\xfe\x00", "cannot be read as text ("),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML at line 1:"),
    ],
)
def test_read_yaml_refuses_what_is_no_mapping(tmp_path, content, expected):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_yaml_refuses_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read as text"):
        read_yaml(tmp_path / "missing.yaml")


def test_to_yaml_keeps_the_order_and_the_letters_of_a_configuration():
    text = to_yaml(Drawing(title="Größe", shape=Square(side_length=2)))
    assert text == (
        "title: Größe\nshape:\n  kind: square\n  side_length: 2.0\n  precision: low\ncopies: 1\nframe:\n  width: 1\n"
    )


BOMB = "a: &a {k: x}\n" + "\n".join(
    f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]" for n in range(12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: 2001-99-99", "a value cannot be read (month must be in 1..12)"),
        ("seed: " + "9" * 5000, "a value cannot be read (Exceeds the limit"),
        ("seed: 0x" + "f" * 40, "a value cannot be read (a whole number has more than 64 bits)"),
        ("train: " + "[" * 2000, "values are nested too deeply"),
        ("&a {title: *a}", "a value cannot be read (an alias stands for itself)"),
        (BOMB, "its aliases stand for more than 100000 values"),
        ("a: !!timestamp x", "a value cannot be read"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "could not determine a constructor for the tag",
        ),
        ("--- 1\n--- 2", "but found another document. Write plain keys and values"),
    ],
)
def test_yaml_that_is_hostile_is_refused_at_once(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError):
        apply_overrides({}, [f"a={text}"])


def test_a_recipe_that_is_no_text_or_too_large(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"title: \xff")
    with pytest.raises(UserError, match="Save it as UTF-8, or choose another file"):
        read_yaml(path)
    path.write_text("#" * (2**20 + 1))
    with pytest.raises(UserError, match="a recipe has at most 1048576"):
        read_yaml(path)


def test_anchors_as_people_use_them_are_read(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("a: &a {k: 1}\nb: *a\nc: {<<: *a, l: 2}")
    assert read_yaml(path) == {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "l": 2}}
