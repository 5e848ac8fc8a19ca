"""Makes the application: routes, problems, live events; refuses to start with a route that has no rule."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import Engine
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

from api import problems
from api.acts import Services, permitted
from api.dicom_web.exchange import Storing
from api.faults import LastResort
from api.limits import BodyLimit
from api.live import Follower
from api.pacs_calls import PacsCalls
from api.permissions import RULES
from api.routes import (
    alerts,
    claims,
    deliveries,
    dicom_web,
    events,
    exams,
    flags,
    health,
    life,
    merges,
    metrics,
    pay,
    people,
    priors,
    sources,
    work,
)
from api.schemas.problem import PROBLEMS

#: Largest request body in bytes.
MAX_BODY_BYTES = 1024 * 1024

#: Paths whose bodies are read in pieces and dropped as they come, under `api.dicom_web.limits`.
STREAMED = re.compile(r"/api/v1/dicom-web/[^/]+/studies(?:/[^/]+)?")

#: What needs no sign-in: whether the server lives, figures without names, and the API's description.
OPEN_PATHS = frozenset({"/healthz/live", "/healthz/ready", "/metrics", "/api/openapi.json"})


def make_app(
    engine: Engine,
    database_url: str,
    *,
    redis_url: str | None = None,
    lease_seconds: float = 1200,
    quiet_seconds: float = 30,
    pacs_calls: PacsCalls | None = None,
) -> FastAPI:
    """Make the application over an engine of the application role.

    `quiet_seconds` is the completeness policy of sources that state none; `pacs_calls` asks PACS, left out without TLS.
    """
    follower = Follower(engine, database_url, redis_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        yield
        follower.stop()
        await asyncio.to_thread(follower.join)

    app = FastAPI(
        title="radpool",
        version=version("radpool"),
        description="Shared reporting worklist and insourcing allocator of an imaging network.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = Services(engine, lease_seconds)
    app.state.storing = Storing(quiet_seconds)
    app.state.pacs_calls = pacs_calls or PacsCalls()
    app.state.follower = follower
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(BodyLimit, most_bytes=MAX_BODY_BYTES, streamed=STREAMED)
    app.add_middleware(LastResort)
    problems.install(app)
    v1 = APIRouter(prefix="/api/v1", responses=PROBLEMS)
    rooms = (
        work,
        exams,
        flags,
        life,
        alerts,
        priors,
        merges,
        claims,
        metrics,
        people,
        pay,
        events,
        sources,
        deliveries,
        dicom_web,
    )
    for room in rooms:
        v1.include_router(room.router)
    app.include_router(v1)
    app.include_router(health.router)
    require_rules(app)
    return app


class RouteWithoutRule(RuntimeError):
    """A route that says nothing of who may use it."""


def require_rules(app: FastAPI) -> None:
    """Refuse an application with a route that is neither in the rules nor open to everyone on purpose.

    Raises
    ------
    RouteWithoutRule
        Naming the route.
    """
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        for method in route.methods or {"ANY"}:
            rule = f"{method} {path.removeprefix('/api/v1')}"
            guarded = path.startswith("/api/v1/") and rule in RULES and _asks_who(route.original_route)
            if not guarded and path not in OPEN_PATHS:
                raise RouteWithoutRule(f"{rule} has no rule in api.permissions.RULES, or does not ask who it is")


def _asks_who(route: BaseRoute) -> bool:
    """Whether the route depends on `permitted`, by which its rule is kept."""
    return isinstance(route, APIRoute) and any(one.call is permitted for one in route.dependant.dependencies)
