"""Findings: what the data doctor says about a file or store."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


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
        variable: The variable it is about, or None.
    """

    kind: str
    severity: Severity
    message: str
    remedy: str
    variable: str | None = None


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
        """Return what a reader at a terminal wants to see."""
        lines = [self.path, *(f"  {name}: {value}" for name, value in self.facts.items())]
        if self.variables:
            names = list(self.variables[0])
            table = [names, *([_short(row[name]) for name in names] for row in self.variables)]
            widths = [max(len(row[column]) for row in table) for column in range(len(names))]
            lines += [
                "  "
                + "  ".join(f"{cell:{width}s}" for cell, width in zip(row, widths, strict=True))
                for row in table
            ]
        for finding in self.sorted():
            about = f" '{finding.variable}'" if finding.variable else ""
            lines.append(
                f"{finding.severity}: {finding.kind}{about}: {finding.message} {finding.remedy}"
            )
        counts = [
            f"{sum(finding.severity is severity for finding in self.findings)} {severity}"
            for severity in Severity
        ]
        lines.append(f"findings: {', '.join(counts)}")
        return "\n".join(lines)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
