"""Routes that watch the server: alive, ready, and figures for Prometheus. No sign-in, no patient data."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.acts import Services
from api.figures import registry_of
from worklist.health import figures, health

router = APIRouter(tags=["health"])


@router.get("/healthz/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/healthz/ready")
def ready(request: Request) -> Response:
    """The database answers, its schema is the newest, consumers keep up."""
    services: Services = request.app.state.services
    found: dict[str, Any] = health(services.engine)
    return JSONResponse(found, status_code=200 if found["ready"] else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Figures for Prometheus: counts and ages, no names."""
    services: Services = request.app.state.services
    return Response(generate_latest(registry_of(figures(services.engine))), media_type=CONTENT_TYPE_LATEST)
