"""The study as a local page: gives pictures by id, takes answers, and never says what a picture is."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from pg2.errors import Pg2Error
from pg2.io.packaged import STUDY_PAGE
from pg2.userstudy.answers import Answers, OutOfTurnError, UnknownParticipantError
from pg2.userstudy.study import Kind, Study

try:
    import uvicorn
    from fastapi import FastAPI, HTTPException, Request, Response
    from fastapi.responses import JSONResponse
    from fastapi.staticfiles import StaticFiles
except ImportError as error:
    raise Pg2Error('the page of a study needs the extra "serve": pip install "pg2[serve]"') from error


_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class GivenAnswer(BaseModel):
    """What the browser sends for a picture."""

    position: int = Field(ge=0, lt=2**31, description="of the picture in the participant's order, from 0")
    answer: Kind
    milliseconds: int | None = Field(None, ge=0, lt=2**31, description="null: the person was interrupted")


def study_app(study: Study) -> FastAPI:
    """The web application of a study.

    Raises:
        Pg2Error: its answers cannot be written.
    """
    answers = Answers(study, create=True)
    kinds = {picture.id: picture.kind for picture in study.pictures}
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        # Whatever sets no rule of its own belongs to one participant and one moment.
        for name, value in {"Cache-Control": "no-store", **_HEADERS}.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(Pg2Error)
    async def refuse(_: Request, error: Exception) -> JSONResponse:
        codes: dict[type[Exception], int] = {UnknownParticipantError: 404, OutOfTurnError: 409}
        return JSONResponse({"detail": str(error)}, codes.get(type(error), 500))

    @app.get("/api/study")
    def settings() -> dict[str, Any]:
        height, width = study.size
        return {
            "id": study.id,
            "total": len(study.pictures),
            "practice": study.practice,
            "seconds": study.seconds,
            "width": width,
            "height": height,
        }

    @app.post("/api/participants", status_code=201)
    def enter() -> dict[str, Any]:
        return {"token": answers.enter()}

    @app.get("/api/participants/{token}")
    def progress(token: str) -> dict[str, Any]:
        order, given = answers.order(token), answers.given(token)
        result = None
        if len(given) == len(order):
            counted = [answer.answer == kinds[answer.picture] for answer in given if answer.counted]
            result = {"right": sum(counted), "counted": len(counted)}
        return {"pictures": order, "answered": len(given), "result": result}

    @app.post("/api/participants/{token}/answers", status_code=204)
    def answer(token: str, given: GivenAnswer) -> None:
        answers.record(token, given.position, given.answer, given.milliseconds)

    @app.get("/pictures/{id_}.png")
    def picture(id_: str) -> Response:
        if id_ not in kinds:
            raise HTTPException(404, "no such picture")
        # Bytes alone: a date of the file would tell which kind was written first.
        content = study.file(id_).read_bytes()
        return Response(
            content, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"}
        )

    app.mount("/", StaticFiles(directory=STUDY_PAGE, html=True))
    return app


def serve_study(folder: str | Path, host: str = "127.0.0.1", port: int = 8001) -> None:
    """Serve the study in `folder` until Ctrl-C. Port 0 takes any free one; the address is printed.

    Raises:
        Pg2Error: no study there, or the address is taken or not of this machine.
    """
    app = study_app(Study.load(folder))
    address = f"[{host}]" if ":" in host else host
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise Pg2Error(f"cannot listen on {address}:{port} ({error.strerror}); try another --port") from error
    with listener:
        print(f"http://{address}:{listener.getsockname()[1]} (Ctrl-C ends it; answers are kept)", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
