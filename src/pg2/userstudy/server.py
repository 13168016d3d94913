"""The study as a local page: gives pictures by id, takes answers, and never says what a picture is."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from pg2.errors import Pg2Error
from pg2.io.packaged import STUDY_PAGE
from pg2.userstudy.answers import Answers, FullError, OutOfTurnError, UnknownParticipantError
from pg2.userstudy.study import Kind, Study
from pg2.web.around import Around
from pg2.web.bodies import read_json
from pg2.web.connections import Config
from pg2.web.errors import ApiError, answer_errors, error_answer
from pg2.web.logs import configure, log
from pg2.web.sites import Sites
from pg2.web.sockets import listen, url_of

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_BODY, _SECONDS = 4096, 10.0  # bytes of an answer, and how long they may take
_THREADS = 8  # each may have a database open, of three files
_CODES: dict[type[Exception], str] = {
    UnknownParticipantError: "not_found", OutOfTurnError: "conflict", FullError: "forbidden",
}  # fmt: skip


class GivenAnswer(BaseModel):
    """What the browser sends for a picture."""

    position: int = Field(ge=0, lt=2**31, description="of the picture in the participant's order, from 0")
    answer: Kind
    milliseconds: int | None = Field(None, ge=0, lt=2**31, description="null: the person was interrupted")


def study_app(study: Study, *, people: int = 1000, hosts: tuple[str, ...] = ()) -> FastAPI:
    """The web application of a study.

    Args:
        study: which one.
        people: participants at most.
        hosts: names by which it may be called, see `Sites`.

    Raises:
        Pg2Error: its answers cannot be written.
    """
    answers = Answers(study, create=True)
    kinds = {picture.id: picture.kind for picture in study.pictures}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        yield

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    # What sets no rule of its own belongs to one participant and one moment, hence private="/".
    app.add_middleware(Around, sites=Sites(hosts), headers={"Content-Security-Policy": _POLICY}, private="/")
    answer_errors(app)

    @app.exception_handler(Pg2Error)
    async def refuse(request: Request, error: Exception) -> JSONResponse:
        told = ApiError(_CODES.get(type(error), "internal"), str(error))
        if told.code == "internal":
            # Where the answers lie is for those who run the study.
            log(logging.ERROR, str(error))
            told = ApiError(
                "internal", "answers cannot be saved now; please tell the people who run the study"
            )
        return error_answer(told, request.state.request_id)

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
        return {"token": answers.enter(people)}

    @app.get("/api/participants/{token}")
    def progress(token: str) -> dict[str, Any]:
        order, given = answers.order(token), answers.given(token)
        result = None
        if len(given) == len(order):
            counted = [answer.answer == kinds[answer.picture] for answer in given if answer.counted]
            result = {"right": sum(counted), "counted": len(counted)}
        return {"pictures": order, "answered": len(given), "result": result}

    @app.post("/api/participants/{token}/answers", status_code=204)
    async def answer(token: str, request: Request) -> None:
        given = await read_json(request, GivenAnswer, most=_BODY, seconds=_SECONDS)
        await run_in_threadpool(answers.record, token, given.position, given.answer, given.milliseconds)

    @app.get("/pictures/{id_}.png")
    def picture(id_: str) -> Response:
        if id_ not in kinds:
            raise ApiError("not_found", "there is no such picture")
        # Bytes alone: a date of the file would tell which kind was written first.
        content = study.file(id_).read_bytes()
        return Response(
            content, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"}
        )

    app.mount("/", StaticFiles(directory=STUDY_PAGE, html=True))
    return app


def serve_study(
    folder: str | Path,
    host: str = "127.0.0.1",
    port: int = 8001,
    *,
    people: int = 1000,
    hosts: tuple[str, ...] = (),
) -> None:
    """Serve the study in `folder` until Ctrl-C. Port 0 takes any free one; the address is printed.

    Args:
        folder: of the study.
        host, port: where to listen.
        people: participants at most.
        hosts: names by which it may be called, see `Sites`.

    Raises:
        Pg2Error: no study there, the address is taken or not of this machine, or too few files may be open.
    """
    app = study_app(Study.load(folder), people=people, hosts=hosts)
    with listen(host, port) as listener:
        configure(logging.WARNING)
        server = uvicorn.Server(Config(app))
        print(f"{url_of(listener)} (Ctrl-C ends it; answers are kept)", flush=True)
        server.run(sockets=[listener])
