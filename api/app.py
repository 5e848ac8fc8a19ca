"""Makes the application: routes, problems, live events; refuses to start with a route that has no rule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine
from starlette.middleware.gzip import GZipMiddleware

from api import problems
from api.acts import Services
from api.limits import BodyLimit
from api.live import Follower
from api.permissions import RULES
from api.routes import claims, events, health, metrics, pay, people, work

#: Largest request body in bytes.
MAX_BODY_BYTES = 1024 * 1024


def make_app(
    engine: Engine, database_url: str, *, redis_url: str | None = None, lease_seconds: float = 1200
) -> FastAPI:
    """Make the application over an engine of the application role."""
    follower = Follower(engine, database_url, redis_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        yield
        follower.stop()

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
    app.state.follower = follower
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(BodyLimit, most_bytes=MAX_BODY_BYTES)
    problems.install(app)
    v1 = APIRouter(prefix="/api/v1")
    for room in (work, claims, metrics, people, pay, events):
        v1.include_router(room.router)
    _require_rules(v1)
    app.include_router(v1)
    app.include_router(health.router)
    return app


class RouteWithoutRule(RuntimeError):
    """A route that says nothing of who may use it."""


def _require_rules(router: APIRouter) -> None:
    for route in router.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                rule = f"{method} {route.path.removeprefix('/api/v1')}"
                if rule not in RULES:
                    raise RouteWithoutRule(f"{rule} has no rule in api.permissions.RULES")
