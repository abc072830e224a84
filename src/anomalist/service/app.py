"""The web application: its addresses, and who may use them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware.trustedhost import TrustedHostMiddleware
from swagger_ui_bundle import swagger_ui_path

from anomalist._version import __version__
from anomalist.core.errors import InputError
from anomalist.deployment.model import CalibratedModel
from anomalist.service.answers import Answer
from anomalist.service.config import ServeConfig
from anomalist.service.guard import Guard
from anomalist.service.headers import ProtectiveHeaders
from anomalist.service.page import ASSETS, page
from anomalist.service.playground import Playground, levels_of
from anomalist.service.scoring import ScoringService
from anomalist.service.uploads import uploads_of

__all__ = ["make_app"]

_PNG = "image/png"
_JSON = "application/json"
_LOCAL = ["127.0.0.1", "localhost", "[::1]"]
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; frame-ancestors 'none'"
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"files": {"type": "array", "items": _BINARY["schema"]}},
    }
}
_BODY = {"requestBody": {"content": {"multipart/form-data": _FORM, "image/*": _BINARY}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {_PNG: {}}, "description": "a result per file, or the heatmap of one image"},
    400: {"description": "no file, or a damaged form"},
    401: {"description": "the token is missing or wrong"},
    406: {"description": "a PNG was requested for several images, or from a model without maps"},
    408: {"description": "the request was not received in time"},
    413: {"description": "too many bytes or files"},
    422: {"description": "no file could be read; the text says why"},
    503: {"description": "the queue is full, or scoring took too long; see Retry-After"},
}


def make_app(
    model: CalibratedModel,
    config: ServeConfig,
    token: str | None = None,
    playground: Playground | None = None,
) -> FastAPI:
    """Return the application that serves a model.

    Args:
        model: the model.
        config: its limits.
        token: token that requests must send; None if none is needed.
        playground: test images to corrupt; None: none.
    """
    service = ScoringService(model, config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        service.close()

    app = FastAPI(
        title="anomalist",
        version=__version__,
        description=f"Scores images with {model.description.detector}.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.openapi_version = "3.0.2"  # what the bundled page of the interface can show
    guard = Guard(token)
    if config.is_loopback and token is None:
        # Without this check, a website could reach a service without a token by DNS rebinding.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOCAL, config.host])
    app.add_middleware(ProtectiveHeaders)
    app.exception_handler(InputError)(_input_error)
    _add_scoring(app, service, guard)
    _add_model(app, service, guard)
    _add_pages(app, guard, playground is not None)
    if playground is not None:
        _add_playground(app, playground, guard)
    return app


def _add_scoring(app: FastAPI, service: ScoringService, guard: Guard) -> None:
    @app.post(
        "/score",
        response_model=Answer,
        response_model_exclude_none=True,
        responses=_RESPONSES,
        openapi_extra=_BODY,
        dependencies=[Depends(guard)],
        summary="Score one image, or several in a form",
    )
    async def score(
        request: Request,
        name: Annotated[
            str, Query(description="name of a body that is no form; DICOM and FITS need it")
        ] = "image",
        pictures: Annotated[bool, Query(description="also return thumbnails")] = False,
    ) -> Response | Answer:
        with service.counters.seconds.time():
            try:
                answer = await _score(request, service, name, pictures)
            except HTTPException as error:
                service.counters.requests.labels(str(error.status_code)).inc()
                raise
            except Exception:
                service.counters.requests.labels("500").inc()
                raise
        service.counters.requests.labels("200").inc()
        return answer


async def _score(
    request: Request, service: ScoringService, name: str, pictures: bool
) -> Response | Answer:
    """Answer a request to score."""
    as_picture = _wants_picture(request)
    if as_picture and not service.model.description.has_maps:
        raise HTTPException(406, "the model draws no maps: ask for JSON")
    with service.admitted(1), service.receiving() as take:
        uploads = await uploads_of(request, service.config, name, take)
        if len(uploads) > service.config.queue:
            raise HTTPException(413, f"more than {service.config.queue} images, as the queue holds")
        if as_picture and len(uploads) != 1:
            raise HTTPException(406, "a PNG shows one image: send one, or ask for JSON")
        with service.admitted(len(uploads) - 1):
            if as_picture:
                return Response(await service.picture(uploads[0]), media_type=_PNG)
            results = await service.results(uploads, pictures)
    faults = [result.fault for result in results if result.fault is not None]
    if len(faults) == len(results):
        raise HTTPException(422, faults[0] if len(faults) == 1 else faults)
    return Answer(results=results)


def _wants_picture(request: Request) -> bool:
    """Return whether a client prefers PNG to JSON; of equal ones, the first is preferred."""
    qualities: dict[str, float] = {}
    for part in request.headers.get("accept", "").lower().split(","):
        kind, _, options = part.partition(";")
        quality = options.replace(" ", "").partition("q=")[2].partition(";")[0]
        try:
            qualities[kind.strip()] = float(quality or 1)
        except ValueError:
            qualities[kind.strip()] = 1.0
    picture = qualities.get(_PNG, 0.0)
    others = qualities.get(_JSON, 0.0)
    if picture == others > 0:
        return list(qualities).index(_PNG) < list(qualities).index(_JSON)
    return picture > others


def _add_model(app: FastAPI, service: ScoringService, guard: Guard) -> None:
    @app.get("/model", dependencies=[Depends(guard)], summary="What the model is")
    def model() -> dict[str, Any]:
        values = service.model.description.model_dump(mode="json")
        values["threshold"] = service.model.threshold
        values["levels"] = levels_of(service.scale)
        return values

    @app.get("/health", summary="Whether the service takes images")
    def health() -> Response:
        status = "full" if service.is_full else "ok"
        return JSONResponse({"status": status}, 503 if service.is_full else 200)

    @app.get("/metrics", dependencies=[Depends(guard)], summary="Metrics in the Prometheus format")
    def metrics() -> Response:
        return Response(generate_latest(service.counters.registry), media_type=CONTENT_TYPE_LATEST)


def _add_pages(app: FastAPI, guard: Guard, has_playground: bool) -> None:
    app.mount("/docs/assets", StaticFiles(directory=swagger_ui_path))
    app.mount("/assets", ASSETS)

    html = page(needs_token=guard.is_needed, has_playground=has_playground)

    @app.get("/", include_in_schema=False)
    def start() -> HTMLResponse:
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="anomalist: HTTP API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )


def _add_playground(app: FastAPI, playground: Playground, guard: Guard) -> None:
    @app.get("/playground", dependencies=[Depends(guard)], summary="Classes and corruptions")
    def options() -> dict[str, Any]:
        return playground.options()

    @app.get("/playground/image", dependencies=[Depends(guard)], summary="A corrupted test image")
    def image(
        kind: str,
        corruption: str,
        number: Annotated[int, Query(ge=0)] = 0,
        severity: Annotated[float, Query(ge=0, le=1)] = 0.5,
    ) -> dict[str, Any]:
        return playground.look(kind, number, corruption, severity)


async def _input_error(_: Request, error: Exception) -> JSONResponse:
    """Answer what a model refuses, such as scores that are not finite."""
    return JSONResponse({"detail": str(error)}, 422)
