"""Findings: what the data doctor says about a file or store."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from triton_earth.core.errors import UserError

MOST_FACTS = 4
"""Different facts of as many files that are told one by one."""
_LAST_SENTENCE = re.compile(r"(?<=[.)]) (?=[A-Z`])")


class Severity(StrEnum):
    """How bad a finding is."""

    FATAL = "fatal"
    """Nothing sound can come of the data until it is put right; `prepare` refuses most of these."""
    WARNING = "warning"
    """May be right, and then again may not; look."""
    NOTE = "note"
    """Good to know; nothing to do."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: Short name of the kind, for example ``holes``.
        severity: How bad it is.
        message: What was found, where.
        remedy: What to do.
        variable: The variable it is about, with its level, or None.
        file: The file it is about, or None where it is about all that was inspected.
    """

    kind: str
    severity: Severity
    message: str
    remedy: str
    variable: str | None = None
    file: str | None = None


@dataclass
class Inspection:
    """All that was found.

    Attributes:
        path: File or store.
        facts: What it is: grid, period, step, splits.
        variables: Of each variable its name, units, level, role and statistics.
        findings: What is worth saying.
    """

    path: str
    facts: dict[str, str] = field(default_factory=dict)
    variables: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, kind: str, severity: Severity, message: str, remedy: str, variable: str | None = None
    ) -> None:
        """Write down a finding."""
        self.findings.append(Finding(kind, severity, message, remedy, variable))

    def refused(self, kind: str, error: UserError, variable: str | None = None) -> None:
        """Write down as fatal what `prepare` would refuse: the last sentence of a refusal says what to do."""
        *message, remedy = _LAST_SENTENCE.split(str(error))
        if not message:
            message, remedy = [remedy], "Repair the file, or leave it out."
        self.add(kind, Severity.FATAL, " ".join(message), remedy, variable)

    def take(self, parts: Iterable["Inspection"]) -> None:
        """Write down what was found in each of several files, with its name.

        Facts and findings that several files share are told once, of many different facts the first and the last.
        """
        several = list(parts)
        self.findings += _shared(several)
        for part in several:
            self.variables += [{"file": part.path, **row} for row in part.variables]
        for name in dict.fromkeys(name for part in several for name in part.facts):
            told = {part.path: part.facts[name] for part in several if name in part.facts}
            if len(set(told.values())) == 1:
                self.facts[name] = next(iter(told.values()))
            else:
                each = [f"{path}: {fact}" for path, fact in told.items()]
                some = each if len(each) <= MOST_FACTS else [each[0], "…", each[-1]]
                self.facts[name] = "; ".join(some)

    @property
    def kinds(self) -> list[str]:
        """Kinds of the findings, in order."""
        return [finding.kind for finding in self.findings]

    @property
    def is_fatal(self) -> bool:
        """Whether any finding is fatal."""
        return any(finding.severity is Severity.FATAL for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the worst findings first."""
        return {
            "path": self.path,
            "fatal": self.is_fatal,
            "facts": self.facts,
            "variables": self.variables,
            "findings": [
                {**asdict(finding), "severity": str(finding.severity)} for finding in self.sorted()
            ],
        }

    def sorted(self) -> list[Finding]:
        """Return the findings, the worst first."""
        return sorted(self.findings, key=lambda finding: list(Severity).index(finding.severity))

    def to_text(self) -> str:
        """Return the findings as text for a terminal."""
        lines = [self.path, *(f"  {name}: {value}" for name, value in self.facts.items())]
        if self.variables:
            names = [
                name
                for name in self.variables[0]
                if any(row[name] is not None for row in self.variables)
            ]
            table = [names, *([_short(row[name]) for name in names] for row in self.variables)]
            widths = [max(len(row[column]) for row in table) for column in range(len(names))]
            lines += [
                "  "
                + "  ".join(f"{cell:{width}s}" for cell, width in zip(row, widths, strict=True))
                for row in table
            ]
        for finding in self.sorted():
            about = f" '{finding.variable}'" if finding.variable else ""
            about += f" in {finding.file}" if finding.file else ""
            lines.append(
                f"{finding.severity}: {finding.kind}{about}: {finding.message} {finding.remedy}"
            )
        counts = [
            f"{sum(finding.severity is severity for finding in self.findings)} {severity}"
            for severity in Severity
        ]
        lines.append(f"findings: {', '.join(counts)}")
        return "\n".join(lines)


def _shared(several: list[Inspection]) -> list[Finding]:
    """Return the findings in several files; one that more than one of them has names the first and their number."""
    found: dict[tuple[object, ...], list[tuple[str, Finding]]] = {}
    for part in several:
        for one in part.findings:
            said = one.message.replace(part.path, ""), one.remedy.replace(part.path, "")
            key = one.kind, one.severity, one.variable, *said
            found.setdefault(key, []).append((part.path, one))
    findings = []
    for those in found.values():
        files = list(dict.fromkeys(path for path, _ in those))
        named = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        repeated = those if len(files) == 1 else those[:1]
        findings += [replace(finding, file=named) for _, finding in repeated]
    return findings


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
