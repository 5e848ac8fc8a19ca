"""Studies of the demonstration that any PACS may send as its own trust's: their headers name no performer."""

from __future__ import annotations

from datetime import datetime

from cli.demonstration.studies import DemoStudy, studies


def studies_of_the_sender(seed: int, count: int, now: datetime) -> tuple[DemoStudy, ...]:
    """Give so many studies, without the issuer of the accession number: it would name the trust that performed them."""
    made = tuple(studies(seed, count, now))
    for study in made:
        for dataset in study.datasets:
            if "IssuerOfAccessionNumberSequence" in dataset:
                del dataset.IssuerOfAccessionNumberSequence
    return made
