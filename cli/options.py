"""Options that several commands share, and how they become settings; no command stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError

from cli.settings import Settings

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of a one-machine server.", file_okay=False)]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="postgresql:// URL instead of our own server.")]
RedisUrl = Annotated[str | None, typer.Option("--redis-url", help="redis:// URL; without one the server does without.")]


def read_settings(database_url: str | None, redis_url: str | None = None) -> Settings:
    """Read settings; what the command line says goes before the environment."""
    given: dict[str, Any] = {}
    if database_url:
        given["database_url"] = SecretStr(database_url)
    if redis_url:
        given["redis_url"] = redis_url
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(f"RADPOOL_{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(faults) from None
