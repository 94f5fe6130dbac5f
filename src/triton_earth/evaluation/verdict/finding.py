"""A finding of the verdict: what is asked, the answer, and the numbers that give it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["good", "bad", "note"]

Subject = Literal[
    "finite", "range", "rmse", "correlation", "climate", "stability", "variance", "small scales"
]

Part = Literal["values", "skill", "climate"]

PARTS: dict[Part, tuple[Subject, ...]] = {
    "values": ("finite", "range"),
    "skill": ("rmse", "correlation"),
    "climate": ("climate", "stability", "variance", "small scales"),
}
"""The parts of a verdict, in order: whether values are sound, skill, and the climate of runs."""


@dataclass(frozen=True)
class Finding:
    """One finding on a model; all words are plain text.

    Attributes:
        kind: Whether it speaks for the model, against it, or does neither.
        subject: What it is about.
        question: What is asked, ``Beats persistence at every lead``.
        answer: The answer, ``yes``.
        details: Sentences with the numbers behind it.
    """

    kind: Kind
    subject: Subject
    question: str
    answer: str
    details: str = ""

    @property
    def part(self) -> Part:
        """The part of the verdict that it belongs to."""
        return next(part for part, subjects in PARTS.items() if self.subject in subjects)

    @property
    def text(self) -> str:
        """The finding in sentences."""
        return f"{self.question}: {self.answer}. {self.details}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, its part and text among them."""
        return {**asdict(self), "part": self.part, "text": self.text}
