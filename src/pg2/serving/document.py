"""The OpenAPI document: what FastAPI cannot see for itself, which is bodies, pictures and errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pg2.motion.named import MOTIONS
from pg2.pose.named import named_pose
from pg2.serving.schemas import (
    AnimationRequest,
    GenerateAnswer,
    GenerateRequest,
    Health,
    Joint,
    KeptAnswer,
    Keypoints,
    Limb,
    ModelEntry,
    ModelPicture,
    ModelsAnswer,
    MotionsAnswer,
    NamedPose,
    PoseAnswer,
    PosePhoto,
    PoseRequest,
    PosesAnswer,
    Sample,
    SamplesAnswer,
    Timings,
)
from pg2.web.errors import STATUS, ErrorAnswer

OF_UPLOADS = (
    "bad_request", "forbidden", "too_large", "unsupported_type", "invalid", "busy", "client_gone", "timeout",
)  # fmt: skip
"""Error codes of the routes that take a photo."""

_BASE64 = "iVBORw0KGgo..."  # the beginning of every PNG
_GENERATE_EXAMPLES = {
    "named": {"summary": "A named pose", "value": {"photo": _BASE64, "pose": "walking"}},
    "photo": {
        "summary": "The pose of another photo, all pictures back",
        "value": {"photo": _BASE64, "pose": {"photo": _BASE64}, "format": "json"},
    },
}
_ANIMATION_EXAMPLES = {
    "named": {"summary": "A named motion", "value": {"photo": _BASE64, "motion": "walk"}},
    "poses": {
        "summary": "Between two poses, of a photo that is kept",
        "value": {"kept": "dGhpcyBpcyBubyB0b2tlbg", "motion": ["front", "arms-raised"], "format": "webp"},
    },
}
_SUMMARY = """Poses people anew: a photo and a target pose in, that person in that pose out (PG2, NIPS 2017).

Every answer carries `X-Request-ID`; every error is `{"error": {"code", "message", "request_id"}}`."""


def errors(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, by status; a wrong Host and a failure are always among them."""
    answers: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, "wrong_host", "internal"):
        answer = answers.setdefault(
            STATUS[code],
            {"model": ErrorAnswer, "description": "", "content": {"application/json": {"examples": {}}}},
        )
        answer["description"] = ", ".join(filter(None, (answer["description"], code)))
        example = {"error": {"code": code, "message": "What is wrong, and what to do.", "request_id": "4f1c"}}
        answer["content"]["application/json"]["examples"][code] = {"value": example}
    return answers


def content(kind: str, description: str, **schema: Any) -> dict[int | str, dict[str, Any]]:
    """The good answer of a route that does not give JSON."""
    return {200: {"description": description, "content": {kind: {"schema": {"type": "string", **schema}}}}}


ONNX = content("application/octet-stream", "The ONNX file", contentMediaType="application/octet-stream")


def _body(name: str, form: dict[str, Any], required: list[str], examples: dict[str, Any]) -> dict[str, Any]:
    """A body that is JSON, or a form with the fields `form`."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": form,
                        "required": required,
                        "additionalProperties": False,
                    }
                },
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{name}"},
                    "examples": examples,
                },
            },
        }
    }


def _examples() -> dict[str, BaseModel]:
    """A good answer of every route that gives JSON."""
    pose = Keypoints.of(named_pose("walking"))
    fields = pose.model_dump()
    pictures = [
        ModelPicture(name="coarse", heading="stage I", kind="image"),
        ModelPicture(name="difference", heading="difference map", kind="difference"),
    ]
    entry = ModelEntry(
        name="fast/market1501",
        frame=(128, 64),
        stages=2,
        pictures=pictures,
        formats=["image", "coarse", "difference", "source", "skeleton", "strip", "full_size", "json"],
        parameters=3546296,
        default=True,
    )
    made = GenerateAnswer(
        model=entry.name,
        image=_BASE64,
        pictures={picture.name: _BASE64 for picture in pictures},
        source=_BASE64,
        skeleton=_BASE64,
        pose=pose,
        copied=0.91,
        doubts=["the photo shows no legs"],
        about="91 % of the person is copied from the photo, 9 % is invented; the photo shows no legs",
        batch=1,
        timings=Timings(prepare=165.3, queue=5.5, model=31.6, encode=5.2),
    )
    return {
        "/v1/generate": made,
        "/v1/pose": PoseAnswer(size=pose.size, people=[pose.keypoints]),
        "/v1/photos": KeptAnswer(
            size=pose.size, people=[pose.keypoints], kept="dGhpcyBpcyBubyB0b2tlbg", seconds=600
        ),
        "/v1/motions": MotionsAnswer(motions=list(MOTIONS), formats=["gif", "png", "webp"]),
        "/v1/models": ModelsAnswer(models=[entry]),
        "/v1/poses": PosesAnswer(
            poses=[NamedPose(name="walking", **fields)],
            joints=[Joint(name="nose", mirrored=0)],
            limbs=[Limb(start=1, end=2, colour="#ff5500")],
        ),
        "/v1/samples": SamplesAnswer(samples=[Sample(name="00003", url="/v1/samples/00003", **fields)]),
        "/healthz": Health(status="ok"),
        "/readyz": Health(status="ready"),
    }


_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_TEXTS = {
    "pose": "a named pose; or keypoints or an OpenPose document as JSON; or a photo as a file",
    "motion": "a named motion; or a list of poses as JSON",
    "source_pose": "keypoints as JSON: where the person stands on the photo, as POST /v1/pose finds it",
}


def _form(asked: type[BaseModel], field: str, example: str) -> dict[str, Any]:
    """The fields of a form, of which `field` is the one that cannot be left out."""
    fields: dict[str, Any] = asked.model_json_schema()["properties"]
    for name in fields.keys() & _TEXTS.keys():
        fields[name] = {"type": "string", "description": _TEXTS[name]}
    fields[field]["examples"] = [example]
    return fields | {"photo": {**_FILE, "description": fields["photo"]["description"]}}


GENERATE_BODY = _body(
    "GenerateRequest", _form(GenerateRequest, "pose", "walking"), ["pose"], _GENERATE_EXAMPLES
)
ANIMATION_BODY = _body(
    "AnimationRequest", _form(AnimationRequest, "motion", "walk"), ["motion"], _ANIMATION_EXAMPLES
)
POSE_BODY = _body("PoseRequest", {"photo": _FILE}, ["photo"], {"photo": {"value": {"photo": _BASE64}}})

GENERATED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture as PNG, or all as JSON. `Server-Timing` says where the time went; "
        "`X-Copied` and `X-Doubts`, where there is something to say, how much of the result is known.",
        "content": {
            "image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/GenerateAnswer"}},
        },
    }
}


ANIMATED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The film, repeating for ever but for MP4. `X-Frames` says how many frames it has, "
        "`Server-Timing` where the time went, `X-Copied`, where the model knows, which share is copied.",
        "content": {
            kind: {"schema": {"type": "string", "contentMediaType": kind}}
            for kind in ("image/gif", "image/png", "image/webp", "video/mp4")
        },
    }
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document of all routes."""
    made = get_openapi(title=app.title, version=app.version, description=_SUMMARY, routes=app.routes)
    _, definitions = models_json_schema(
        [(model, "validation") for model in (GenerateRequest, AnimationRequest, PoseRequest, PosePhoto)]
        + [(GenerateAnswer, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schemas = made["components"]["schemas"]
    schemas.update(definitions["$defs"])
    # FastAPI's own error for parameters, which never comes: ours are all text.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, example in _examples().items():
        for operation in made["paths"][path].values():
            operation["responses"]["200"]["content"]["application/json"]["example"] = example.model_dump()
    for operation in (operation for path in made["paths"].values() for operation in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
    return made
