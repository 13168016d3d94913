"""The API: which address does what."""

import functools
import hmac
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi import Path as PathParameter
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect

from pg2.io.packaged import SAMPLES, SERVICE_PAGE
from pg2.io.picture_files import open_picture
from pg2.pose.estimator import MOVENET
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import KEYPOINTS, MIRRORED, Pose
from pg2.pose.maps import LIMBS
from pg2.pose.named import NAMES, named_pose
from pg2.pose.skeleton import COLOURS
from pg2.serving import document
from pg2.serving.limits import Answer, while_connected
from pg2.serving.reading import Body, fields_of, read_body
from pg2.serving.schemas import (
    AnimationRequest,
    GenerateRequest,
    Health,
    Joint,
    KeptAnswer,
    Keypoints,
    Limb,
    ModelsAnswer,
    MotionsAnswer,
    NamedPose,
    PoseAnswer,
    PoseRequest,
    PosesAnswer,
    Sample,
    SamplesAnswer,
)
from pg2.serving.service import Animated, Generated, Service
from pg2.web.around import REQUEST_ID, Around
from pg2.web.errors import ApiError, answer_errors
from pg2.web.sites import Sites

_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_IN_BROWSER = {
    # For WebAssembly, which is no script.
    "Content-Security-Policy": f"{_POLICY}; script-src 'self' 'wasm-unsafe-eval'",
    # Only a page that is alone with itself may share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_ONCE = {"Cache-Control": "private, max-age=3600"}  # of what does not change at its address

_PHOTO = "00.jpg"  # of each person of the samples

_KINDS = {"gif": "image/gif", "png": "image/png", "webp": "image/webp", "mp4": "video/mp4"}

Asked = TypeVar("Asked", PoseRequest, GenerateRequest, AnimationRequest)
Take = Callable[[int], None]


def service_app(service: Service) -> FastAPI:
    """The API and its page around a service, which it starts and stops, as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    # The documentation that FastAPI would show loads scripts from other sites, which our headers forbid.
    app = FastAPI(
        title="pg2", version="1", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    options = service.options
    if options.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=options.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, "Server-Timing", "X-Copied", "X-Doubts", "X-Frames"],
        )
    app.add_middleware(
        Around,
        # With a key, those who show it are welcome from anywhere.
        sites=Sites(options.hosts, options.cors_origins) if options.api_key is None else None,
        headers=_IN_BROWSER if options.in_browser else {"Content-Security-Policy": _POLICY},
        private="/v1/",
        then=service.metrics.count,
    )
    answer_errors(app)

    guard = [Depends(_key_check(options.api_key))] if options.api_key is not None else []
    always = ("unauthorized",) if options.api_key is not None else ()
    guard_open = [*guard, Depends(service.check_open)]
    errors = document.errors

    async def answered(
        request: Request, wanted: type[Asked], answer: Callable[[Asked, Take], Coroutine[Any, Any, Response]]
    ) -> Response:
        """What every request with a photo goes through. `answer` may take bytes for what it makes, too."""

        async def work(body: Body, take: Take) -> Response:
            with service.gate.enter():
                asked = await service.threads.run(lambda body: wanted.read(fields_of(body)), body)
                del body  # JSON is larger than what was decoded from it
                return await answer(asked, take)

        try:
            async with service.gate.come(options.timeout) as take:
                body = read_body(request, options.max_body, take)
                return await while_connected(request, work(await body, take))
        except TimeoutError as error:
            await service.check_open()  # else it was we who cut the time short
            raise ApiError(
                "timeout", f"there was no answer within {options.timeout:g} seconds; try again later"
            ) from error
        except ClientDisconnect as error:
            raise ApiError("client_gone", "the client has gone") from error

    @app.post(
        "/v1/generate",
        dependencies=guard_open,
        response_class=Response,
        responses=document.GENERATED
        | errors(*always, *document.OF_UPLOADS, "no_person", "gone", "not_ready"),
        openapi_extra=document.GENERATE_BODY,
    )
    async def generate(request: Request) -> Response:
        """The person of a photo in another pose."""

        async def answer(asked: GenerateRequest, _: Take) -> Response:
            usual = "json" if _prefers_json(request) else "image"
            made = await service.generate(asked, usual if asked.format is None else asked.format)
            headers = _headers(made)
            if made.doubts:
                headers["X-Doubts"] = "; ".join(made.doubts)
            if isinstance(made.content, bytes):
                return Answer(made.content, service.gate, media_type="image/png", headers=headers)
            text = made.content.model_dump_json()
            return Answer(text, service.gate, media_type="application/json", headers=headers)

        return await answered(request, GenerateRequest, answer)

    @app.post(
        "/v1/pose",
        dependencies=guard_open,
        response_model=PoseAnswer,
        responses=errors(*always, *document.OF_UPLOADS, "not_ready"),
        openapi_extra=document.POSE_BODY,
    )
    async def pose(request: Request) -> Response:
        """The keypoints of everybody on a photo, largest first."""

        async def answer(asked: PoseRequest, _: Take) -> Response:
            return JSONResponse((await service.poses(asked.photo)).model_dump())

        return await answered(request, PoseRequest, answer)

    @app.post(
        "/v1/photos",
        dependencies=guard_open,
        response_model=KeptAnswer,
        responses=errors(*always, *document.OF_UPLOADS, "no_person", "not_ready"),
        openapi_extra=document.POSE_BODY,
    )
    async def keep(request: Request) -> Response:
        """The same, and the photo is kept in memory for a while: further requests name it by its token.

        It goes when it has not been asked for for some minutes, and earlier when there is no room for it.
        """

        async def answer(asked: PoseRequest, _: Take) -> Response:
            return JSONResponse((await service.keep(asked.photo)).model_dump())

        return await answered(request, PoseRequest, answer)

    @app.delete(
        "/v1/photos/{token}",
        dependencies=guard,
        status_code=204,
        response_class=Response,
        responses=errors(*always, "forbidden"),
    )
    async def drop(token: Annotated[str, PathParameter(examples=["dGhpcyBpcyBubyB0b2tlbg"])]) -> None:
        """Keep a photo no longer; there need not be one."""
        service.kept.drop(token)

    @app.post(
        "/v1/animations",
        dependencies=guard_open,
        response_class=Response,
        responses=document.ANIMATED | errors(*always, *document.OF_UPLOADS, "no_person", "gone", "not_ready"),
        openapi_extra=document.ANIMATION_BODY,
    )
    async def animate(request: Request) -> Response:
        """The person of a photo, moving: what `pg2 animate` makes, of up to 120 different pictures."""

        async def answer(asked: AnimationRequest, take: Take) -> Response:
            made = await service.animate(asked, take)
            headers = _headers(made) | {"X-Frames": str(made.frames)}
            return Answer(made.content, service.gate, media_type=_KINDS[asked.format], headers=headers)

        return await answered(request, AnimationRequest, answer)

    @app.get("/v1/motions", dependencies=guard_open, responses=errors(*always, "not_ready"))
    async def motions() -> MotionsAnswer:
        """The named motions, and the formats of animations."""
        return service.motions()

    @app.get("/v1/models", dependencies=guard_open, responses=errors(*always, "not_ready"))
    async def models() -> ModelsAnswer:
        """The models that are served."""
        return ModelsAnswer(models=[served.entry for served in service.models.values()])

    @app.get(
        "/v1/models/{name}",
        dependencies=guard_open,
        response_class=FileResponse,
        responses=document.ONNX | errors(*always, "not_found", "not_ready"),
    )
    async def model(name: Annotated[str, PathParameter(examples=["photo256"])]) -> FileResponse:
        """A model as `pg2 export` wrote it, for clients who make pictures themselves (`--in-browser`)."""
        if not options.in_browser or name not in service.models:
            raise ApiError(
                "not_found", "there is no such file; GET /v1/models says where the models' files are"
            )
        return FileResponse(service.models[name].source, headers=_ONCE)

    @app.get(
        "/v1/estimator",
        dependencies=guard_open,
        response_class=FileResponse,
        responses=document.ONNX | errors(*always, "not_found", "not_ready"),
    )
    async def estimator() -> FileResponse:
        """MoveNet, which finds people on photos, for the same clients."""
        if not options.in_browser:
            raise ApiError("not_found", "this service does not give its networks away")
        return FileResponse(MOVENET, headers=_ONCE)

    @app.get("/v1/poses", dependencies=guard_open, responses=errors(*always, "not_ready"))
    async def poses() -> PosesAnswer:
        """The named poses, and the joints and limbs of a skeleton."""
        return _named_poses()

    @app.get("/v1/samples", dependencies=guard_open, responses=errors(*always, "not_ready"))
    async def samples() -> SamplesAnswer:
        """Photos of rendered people to try things on, with exact keypoints."""
        return SamplesAnswer(samples=list(_samples().values()))

    @app.get(
        "/v1/samples/{person}",
        dependencies=guard_open,
        response_class=FileResponse,
        responses=document.content("image/jpeg", "The photo", contentMediaType="image/jpeg")
        | errors(*always, "not_found", "not_ready"),
    )
    async def sample(person: Annotated[str, PathParameter(examples=["00003"])]) -> FileResponse:
        """One of these photos."""
        if person not in _samples():
            raise ApiError("not_found", "there is no such sample; GET /v1/samples lists them")
        return FileResponse(SAMPLES / person / _PHOTO, media_type="image/jpeg", headers=_ONCE)

    @app.get("/healthz")
    async def healthz() -> Health:
        """Whether the process answers."""
        return Health(status="ok")

    @app.get("/readyz", response_model=Health, responses={503: {"model": Health, "description": "Not ready"}})
    async def readyz() -> JSONResponse:
        """Whether requests are taken: 503 while models load, and when the service stops."""
        return JSONResponse({"status": service.state}, 200 if service.state == "ready" else 503)

    @app.get(
        "/metrics",
        dependencies=guard,
        response_class=PlainTextResponse,
        responses=document.content("text/plain", "Prometheus' text", examples=["pg2_requests_inside 0.0"])
        | errors(*always),
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/openapi.json", dependencies=guard, include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(document.openapi(app))

    if SERVICE_PAGE.is_dir():
        app.mount("/", StaticFiles(directory=SERVICE_PAGE, html=True))
    return app


def _key_check(key: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """A dependency that lets those in who show the key."""

    async def check(
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
        header: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
    ) -> None:
        shown = header if bearer is None else bearer.credentials
        if shown is None or not hmac.compare_digest(shown.encode(), key.encode()):
            raise ApiError(
                "unauthorized",
                "show the API key as Authorization: Bearer KEY or X-API-Key: KEY",
                {"WWW-Authenticate": "Bearer"},
            )

    return check


def _headers(made: Generated | Animated) -> dict[str, str]:
    spent = made.timings.model_dump().items()
    headers = {"Server-Timing": ", ".join(f"{name};dur={value}" for name, value in spent)}
    if made.copied is not None:
        headers["X-Copied"] = str(made.copied)
    return headers


def _prefers_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "image/" not in accepted and "*/*" not in accepted


@functools.cache
def _named_poses() -> PosesAnswer:
    poses = ((name, Keypoints.of(named_pose(name))) for name in NAMES)
    return PosesAnswer(
        poses=[NamedPose(name=name, **pose.model_dump()) for name, pose in poses],
        joints=[
            Joint(name=name.replace("_", " "), mirrored=mirrored)
            for name, mirrored in zip(KEYPOINTS, MIRRORED.tolist(), strict=True)
        ],
        limbs=[
            Limb(start=start, end=end, colour="#{:02x}{:02x}{:02x}".format(*colour))
            for (start, end), colour in zip(LIMBS, COLOURS, strict=True)
        ],
    )


@functools.cache
def _samples() -> dict[str, Sample]:
    """The first photo of each person, by the person's name."""
    samples = {}
    for photo, points in read_keypoints_csv(SAMPLES / "keypoints.csv").items():
        name, _, file = photo.partition("/")
        if file == _PHOTO:
            with open_picture(SAMPLES / photo) as opened:
                pose = Keypoints.of(Pose(points, (opened.height, opened.width)))
            samples[name] = Sample(name=name, url=f"/v1/samples/{name}", **pose.model_dump())
    return samples
