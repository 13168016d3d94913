"""What requests and answers hold: the one place where a request is checked."""

import binascii
import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    computed_field,
)

from pg2.errors import Pg2Error
from pg2.models.inputs import PictureKind
from pg2.pose.keypoints import COUNT, Pose
from pg2.pose.named import NAMES, named_pose
from pg2.web.bodies import checked, from_json

_Coordinate = Annotated[float, Field(strict=True, ge=-1e6, le=1e6, allow_inf_nan=False)]
_Side = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
_Number = Annotated[int, Field(strict=True, ge=0, le=1000)]
Size = Annotated[tuple[_Side, _Side], Field(description="(height, width) in pixels")]
Point = tuple[_Coordinate, _Coordinate] | None
Person = Annotated[
    list[Point],
    Field(
        min_length=COUNT,
        max_length=COUNT,
        description="18 keypoints in OpenPose's COCO order, each [x, y] in pixels, or null where missing",
    ),
]


def _decode(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise ValueError("must be a file or its content as base64") from error


File = Annotated[
    bytes, BeforeValidator(_decode), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @classmethod
    def read(cls, fields: object) -> Self:
        """Check what a client sent, of a form or of JSON.

        Raises:
            ApiError: it is not what it should be.
        """
        return checked(cls, fields)


class Keypoints(_Request):
    """The keypoints of one person, and the size of the picture that they lie in."""

    size: Size
    keypoints: Person

    def pose(self) -> Pose:
        """As the pipeline takes it."""
        missing = (math.nan, math.nan)
        points: Any = [missing if point is None else point for point in self.keypoints]
        return Pose(points, self.size)

    @classmethod
    def of(cls, pose: Pose) -> "Keypoints":
        """Of a pose whose size is known."""
        assert pose.size is not None
        return cls(size=pose.size, keypoints=points_of(pose))


def points_of(pose: Pose) -> list[Point]:
    """The 18 keypoints of a pose as JSON has them: exact, so that they can be sent back."""
    points = zip(pose.points.tolist(), pose.present, strict=True)
    return [(x, y) if there else None for (x, y), there in points]


class PosePhoto(_Request):
    """A photo of somebody in the wanted pose."""

    photo: File


class OpenPose(BaseModel):
    """What OpenPose and `pg2 pose` write, with 18 or 25 points a person."""

    people: list[dict[str, Any]]


# Looked at in `GenerateRequest.target`: what a client means is plain from its shape, and so are then errors.
_Target = Annotated[
    Any,
    PlainValidator(
        lambda value: value, json_schema_input_type=Literal[NAMES] | Keypoints | PosePhoto | OpenPose
    ),
    Field(description="a named pose; or keypoints; or a photo of somebody in the pose"),
]


class PoseRequest(_Request):
    """A photo to find people on."""

    photo: Annotated[File, Field(description="JPEG, PNG, WebP, GIF, BMP or TIFF")]


class GenerateRequest(PoseRequest):
    """A photo, a pose, and what is wanted."""

    pose: _Target
    model: Annotated[str | None, Field(description="a name of GET /v1/models; default: the first")] = None
    person: Annotated[_Number | None, Field(description="who on the photo, 0 being the largest")] = None
    pose_person: Annotated[_Number | None, Field(description="the same for a pose of several people")] = None
    source_pose: Annotated[
        Keypoints | None,
        Field(description="where the person stands on the photo (POST /v1/pose): spares finding it again"),
    ] = None
    format: Annotated[
        str | None,
        Field(
            max_length=64,
            description="which picture as PNG: image, one of the model's own by its name in GET /v1/models, "
            "source, skeleton, origin (of a model with a mask and a silhouette: blue where the person is "
            "copied from the photo, orange where invented), strip or full_size; or json for all but the last "
            "three; default: image, or json if Accept asks for that",
            examples=["image", "coarse", "strip", "json"],
        ),
    ] = None

    def target(self) -> Pose | bytes:
        """The pose that is wanted, or a photo that shows it.

        Raises:
            Pg2Error, ApiError: it is none.
        """
        if isinstance(self.pose, bytes):
            return self.pose
        if isinstance(self.pose, str):
            return named_pose(self.pose[:100])
        if not isinstance(self.pose, dict):
            raise Pg2Error("give a named pose, keypoints or a photo")
        if "photo" in self.pose:
            return PosePhoto.read(self.pose).photo
        if "people" in self.pose:
            return Pose.from_openpose(self.pose, "the document", self.pose_person)
        return Keypoints.read(self.pose).pose()


def form_fields(fields: dict[str, str | bytes]) -> dict[str, Any]:
    """The fields of a form as JSON would have them: there all is text, and empty is absent."""
    read: dict[str, Any] = {name: value for name, value in fields.items() if value != ""}
    for name in ("person", "pose_person"):
        if isinstance(value := read.get(name), str) and value.isdecimal() and len(value) < 10:
            read[name] = int(value)
    for name in ("pose", "source_pose"):
        if isinstance(value := read.get(name), str) and value.lstrip().startswith("{"):
            read[name] = from_json(value, name)
    return read


class PoseAnswer(BaseModel):
    """The people on a photo, largest first; there may be none."""

    size: Size
    people: list[Person]


class Timings(BaseModel):
    """Where the time went, in milliseconds."""

    prepare: Annotated[float, Field(description="the photo decoded, the person found and framed")]
    queue: Annotated[float, Field(description="waiting for the model")]
    model: float
    encode: Annotated[float, Field(description="the answer's pictures")]


PngText = Annotated[str, Field(description="PNG as base64", json_schema_extra={"contentEncoding": "base64"})]


def _deprecated(name: str) -> dict[str, Any]:
    return {"deprecated": True, "description": f"read pictures.{name}; null where the model makes none"}


class GenerateAnswer(BaseModel):
    """All pictures in the model's frame."""

    model: str
    image: Annotated[PngText, Field(description="the result")]
    pictures: Annotated[
        dict[str, PngText],
        Field(description="what the model made on the way, by name, in the order of GET /v1/models"),
    ]
    source: Annotated[PngText, Field(description="the photo, cut to the frame around the person")]
    skeleton: Annotated[PngText, Field(description="the target pose, drawn")]
    pose: Annotated[Keypoints, Field(description="the target pose in the frame")]
    copied: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="which share of the person is fetched from the photo, the rest being invented; null "
            "where the model does not say",
        ),
    ]
    doubts: Annotated[
        list[str], Field(description="what the photo does not show of what the pose asks for, in words")
    ]
    about: Annotated[
        str, Field(description="the last two as one sentence, empty where there is nothing to say")
    ]
    batch: Annotated[int, Field(description="how many requests shared the run of the model")]
    timings: Timings

    # Two pictures had a field of their own before models had pictures of any name.
    @computed_field(json_schema_extra=_deprecated("coarse"))  # type: ignore[prop-decorator]
    @property
    def coarse(self) -> PngText | None:
        """As in `pictures`."""
        return self.pictures.get("coarse")

    @computed_field(json_schema_extra=_deprecated("difference"))  # type: ignore[prop-decorator]
    @property
    def difference(self) -> PngText | None:
        """As in `pictures`."""
        return self.pictures.get("difference")


class ModelPicture(BaseModel):
    """A picture that a model makes on the way to its result."""

    name: Annotated[str, Field(description="what format takes, and where the answer's pictures have it")]
    heading: Annotated[str, Field(description="what to call it above the picture")]
    kind: Annotated[
        PictureKind,
        Field(
            description="a difference is grey where there is none, at half strength; a mask black to white"
        ),
    ]


class ModelEntry(BaseModel):
    """A model that is served."""

    name: str
    frame: Size
    stages: Annotated[int, Field(ge=1, description="with 1, the result is its coarse picture")]
    pictures: Annotated[list[ModelPicture], Field(description="beside the result, in order")]
    parameters: int
    default: bool


class ModelsAnswer(BaseModel):
    """The models that are served, the default one first."""

    models: list[ModelEntry]


class NamedPose(Keypoints):
    """A pose that ships."""

    name: str


class Joint(BaseModel):
    """What one of the 18 keypoints is."""

    name: str
    mirrored: Annotated[int, Field(description="the keypoint that it becomes in a mirror")]


class Limb(BaseModel):
    """A line of the skeleton between two keypoints, from the trunk outwards."""

    start: int
    end: int
    colour: Annotated[str, Field(description="as in pictures of the skeleton: #rrggbb")]


class PosesAnswer(BaseModel):
    """The named poses, and what a skeleton consists of."""

    poses: list[NamedPose]
    joints: list[Joint]
    limbs: list[Limb]


class Sample(Keypoints):
    """A photo that ships, with the person's exact keypoints."""

    name: str
    url: str


class SamplesAnswer(BaseModel):
    """The photos that ship."""

    samples: list[Sample]


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "loading", "ready", "stopping"]
