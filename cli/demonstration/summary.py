"""Tells at the end what a demonstration came to, as tables; every figure is one that the API gave.

It must not ask the server anything.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.demonstration.figures import Figures, is_breached
from cli.demonstration.home_ris import Taken
from cli.demonstration.script import Played
from cli.demonstration.telling import Teller
from cli.demonstration.work import Reading

_SAMPLE = 8


def tell_summary(tell: Teller, played: Played, figures: Figures, taken: Taken) -> None:
    """Tell what came, who read what and why, how long it took, what it paid and saved, what reached the home RIS."""
    tell.out.rule("What happened", align="left")
    for table in (
        _what_came(figures),
        _exceptions(figures),
        _who_read(played.tally.readings, figures),
        _why(played.tally.readings),
        _turnaround(figures),
        _paid(figures),
    ):
        tell.out.print(table)
    _tell_one_line(tell, figures)
    _tell_value(tell, figures)
    _tell_skill_mix(tell, figures)
    _tell_homes(tell, figures, taken)
    tell.say(
        f"Requests sent twice under one Idempotency-Key: {played.tally.repeated_alike} answered alike and done once;"
        f" leases renewed: {played.tally.renewed}."
    )


def pounds(pence: int) -> str:
    """Write pence as pounds."""
    return f"{'-' if pence < 0 else ''}£{abs(pence) // 100:,}.{abs(pence) % 100:02d}"


def _what_came(figures: Figures) -> Table:
    count = Counter((item["trust"], item["modality"] or "?") for item in figures.items)
    modalities = sorted({modality for _, modality in count}, key=lambda one: (one == "?", one))
    table = _table("What came: worklist items by trust and modality", "trust", *modalities, "all", right=True)
    for trust in sorted({trust for trust, _ in count}):
        row = [count[trust, modality] for modality in modalities]
        table.add_row(trust, *map(_number, row), str(sum(row)))
    return table


def _exceptions(figures: Figures) -> Table:
    table = _table("What a person must look at", "exception", "detail", "open", "times")
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in figures.exceptions:
        found[one["kind"], one["detail"]].append(one["occurrences"])
    for (kind, detail), times in sorted(found.items(), key=lambda each: -len(each[1])):
        table.add_row(kind, detail, str(len(times)), str(sum(times)))
    return table


def _who_read(readings: Sequence[Reading], figures: Figures) -> Table:
    columns = ("verified", "preliminary", "checks", "declined", "minutes", "lines", "paid")
    table = _table("Who read what", "reporter", "profession", "sessions", *columns)
    lines: dict[str, list[int]] = defaultdict(list)
    for line in figures.pay_lines:
        lines[line["reporter"]].append(line["amount_pence"])
    for reporter in sorted({reading.worker.reporter for reading in readings}):
        own = [reading for reading in readings if reading.worker.reporter == reporter]
        kinds = sorted({reading.worker.kind.replace("_", "-") for reading in own})
        outcomes = Counter(reading.outcome for reading in own)
        reported = [reading for reading in own if reading.outcome in ("verified", "preliminary")]
        table.add_row(
            reporter,
            own[0].worker.profession,
            ", ".join(kinds),
            _number(outcomes["verified"]),
            _number(outcomes["preliminary"]),
            _number(sum(reading.purpose == "check" for reading in reported)),
            _number(outcomes["skipped"] + outcomes["referred"] + outcomes["released"]),
            f"{sum(reading.minutes for reading in reported):g}",
            _number(len(lines[reporter])),
            pounds(sum(lines[reporter])) if lines[reporter] else "",
        )
    return table


def _why(readings: Sequence[Reading]) -> Table:
    """Show one claim of each kind first, then more, so that a few rows show the range."""
    table = _table("Who got what, and why: some of the claims", "reporter", "trust", "exam", "why")
    seen: set[tuple[str, str, str]] = set()
    different = []
    for reading in readings:
        mark = (reading.worker.profession, reading.worker.kind, reading.why[0] + reading.purpose)
        if mark not in seen:
            seen.add(mark)
            different.append(reading)
    for reading in different[:_SAMPLE]:
        purpose = "" if reading.purpose == "first" else f" ({reading.purpose})"
        table.add_row(
            reading.worker.reporter, reading.trust, reading.exam + purpose, "; ".join(filter(None, reading.why))
        )
    return table


def _turnaround(figures: Figures) -> Table:
    table = _table(
        "Turnaround, from the end of acquisition to the verified report",
        "urgency", "reported", "within target", "median", "waiting", "past due, reported or waiting",
    )  # fmt: skip
    rows = {row["group"][0]: row for row in figures.turnaround}
    urgencies = {item["urgency"] for item in figures.items} | set(rows)
    for urgency in sorted(urgencies, key=lambda one: (one is None, one or "")):
        items = [item for item in figures.items if item["urgency"] == urgency]
        row = rows.get(urgency)
        share = row["percent_within_target"] if row else None
        table.add_row(
            (urgency or "not known").replace("_", " "),
            _number(row["reported"] if row else 0),
            "" if share is None else f"{share:.0f}%",
            _duration(row["median_minutes"] if row else None),
            _number(sum(item["reported_at"] is None for item in items)),
            _number(sum(is_breached(item, figures.at) for item in items)),
        )
    return table


def _paid(figures: Figures) -> Table:
    table = _table("What insourced sessions paid", "reporter", "month", "payer", "lines", "by tariff", "total")
    for one in figures.statements:
        tariffs = ", ".join(f"{code} {pounds(pence)}" for code, pence in one["by_tariff"].items())
        total = pounds(one["total_pence"])
        table.add_row(one["reporter"], one["month"], one["payer"], str(one["lines"]), tariffs, total)
    table.add_section()
    table.add_row("all", "", "", str(len(figures.pay_lines)), "", pounds(figures.pay_total_pence))
    return table


def _tell_one_line(tell: Teller, figures: Figures) -> None:
    if not figures.pay_lines:
        return
    line = max(figures.pay_lines, key=lambda one: (one["multiplier_percent"], len(one["derivation"]), one["id"]))
    tell.say(f"One pay line in full, no. {line['id']} of {line['reporter']}, session {line['session']}:")
    for step in line["derivation"]:
        tell.say(f"  {step}")
    for one in figures.held:
        tell.say(f"Held for a person: {one['reporter']}, {one['reason']}")


def _tell_value(tell: Teller, figures: Figures) -> None:
    value = figures.value
    tell.say(
        f"{value['reports']} insourced first readings; those with a reference price were paid"
        f" {pounds(value['compared_pay_pence'])} and would have cost {pounds(value['outsourced_pence'])} outsourced:"
        f" {pounds(value['saving_pence'])} saved, before on-costs and by invented prices."
    )


def _tell_skill_mix(tell: Teller, figures: Figures) -> None:
    row = figures.skill_mix
    share = row["percent_xrays_by_radiographers"]
    told = "no X-ray was reported" if share is None else f"{share:.0f}% of {row['xrays_reported_here']} X-rays"
    tell.say(f"Skill mix: radiographers reported {told}.")
    for one in row["comparisons"]:
        met = "reached" if one["met"] else f"{one['reports_short']} short of"
        tell.say(f"  {met} {one['reference']['percent']}% ({one['reference']['source']})")


def _tell_homes(tell: Teller, figures: Figures, taken: Taken) -> None:
    """Tell how many reports arrived: by their acknowledgement alone a turnaround clock has stopped."""
    standing = ", ".join(f"{count} {_STANDING[code]}" for code, count in sorted(taken.reports.items()))
    stopped = sum(item["reported_source"] == "acknowledged" for item in figures.items)
    of_trusts = ", ".join(f"{trust} {count}" for trust, count in taken.by_trust.items())
    tell.say(
        f"Home RIS took {taken.all_reports} reports ({standing}) and {taken.notices} notices of what was being read:"
        f" {of_trusts} reports. {stopped} turnaround clocks stopped at their acknowledgement."
    )


def _table(title: str, *columns: str, right: bool = False) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        numeric = (right and number > 0) or column in _NUMERIC
        table.add_column(column, justify="right" if numeric else "left", no_wrap=column not in _WORDS)
    return table


#: Columns of words, which fold where the console is narrow.
_WORDS = frozenset({"detail", "sessions", "exam", "why", "by tariff", "past due, reported or waiting"})

#: Standing of a report as the home RIS reads it (OBR-25).
_STANDING = {"F": "final", "P": "preliminary", "C": "corrections"}

_NUMERIC = frozenset(
    {"open", "times", "verified", "preliminary", "checks", "declined", "minutes", "paid", "reported",
     "within target", "median", "waiting", "past due, reported or waiting", "lines", "total"}
)  # fmt: skip


def _number(count: int) -> str:
    return str(count) if count else ""


def _duration(minutes: float | None) -> str:
    if minutes is None:
        return ""
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"
