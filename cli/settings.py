"""What a server can be told from outside, by environment (`RADPOOL_...`) or command line; holds no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of every service. Seconds are wall-clock; URLs may also come by the command line."""

    model_config = SettingsConfigDict(env_prefix="RADPOOL_", extra="ignore")

    database_url: SecretStr | None = Field(
        default=None, description="postgresql:// URL; without one the server runs PostgreSQL itself"
    )
    redis_url: str | None = Field(default=None, description="redis:// URL; without one the server does without")
    quiet_seconds: Annotated[float, Field(ge=0, le=86400)] = Field(
        default=30, description="a study is complete when nothing came for this long; a source may state its own"
    )
    lease_seconds: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=1200, description="how long a claim holds without renewal"
    )
    ae_title: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="the only called AE title that is answered; without one any is"
    )
    listener_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1),
        description="processes that receive DICOM; left out, one a core and at most four",
    )
    journal_fsync: bool = Field(
        default=False,
        description="acknowledge DICOM objects only when the journal is on the disk: they outlive a loss of power too",
    )
    dicom_tls_certificate: Path | None = Field(
        default=None, description="PEM file: our certificate for DICOM over TLS (`--dicom-tls`)"
    )
    dicom_tls_key: Path | None = Field(default=None, description="PEM file: its key")
    dicom_tls_authorities: Path | None = Field(
        default=None, description="PEM file: the authorities whose client certificates are accepted"
    )
    hl7_tls_certificate: Path | None = Field(
        default=None, description="PEM file: our certificate for HL7 over TLS (`--hl7-tls`, and RIS with `tls = true`)"
    )
    hl7_tls_key: Path | None = Field(default=None, description="PEM file: its key")
    hl7_tls_authorities: Path | None = Field(
        default=None, description="PEM file: the authorities whose certificates RIS show"
    )
    plan_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=2, description="the plan is made anew at least this often while anything changes"
    )
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=60, description="how often the audit's heads are signed outside the database"
    )
    undelivered_seconds: Annotated[float, Field(gt=0, le=604800)] = Field(
        default=900,
        description="a report that its home RIS has not acknowledged after this long is put before a person",
    )
    keep_report_days: Annotated[float, Field(ge=0, le=3650)] = Field(
        default=30, description="the words of a report are deleted this long after its home RIS has acknowledged them"
    )
    token_days: Annotated[int, Field(ge=1, le=3650)] = Field(default=90, description="how long a bearer token lasts")

    @property
    def dicom_tls(self) -> tuple[Path, Path, Path] | None:
        """Certificate, key and authorities for DICOM over TLS, if all three are given."""
        files = self.dicom_tls_certificate, self.dicom_tls_key, self.dicom_tls_authorities
        return files if all(files) else None  # type: ignore[return-value]

    @property
    def hl7_tls(self) -> tuple[Path, Path, Path] | None:
        """Certificate, key and authorities for HL7 over TLS, if all three are given."""
        files = self.hl7_tls_certificate, self.hl7_tls_key, self.hl7_tls_authorities
        return files if all(files) else None  # type: ignore[return-value]

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="what is logged")
