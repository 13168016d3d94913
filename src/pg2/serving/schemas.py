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
    model_validator,
)

from pg2.errors import Pg2Error
from pg2.models.inputs import PictureKind
from pg2.motion.named import MOTIONS
from pg2.pose.keypoints import COUNT, Pose
from pg2.pose.named import NAMES, named_pose
from pg2.web.bodies import checked, from_json

MIN_POSES, MAX_POSES = 2, 8
"""How many poses a motion may be made of."""

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


# Looked at in `target`: what a client means is plain from its shape, and so are then errors.
_Target = Annotated[
    Any,
    PlainValidator(
        lambda value: value, json_schema_input_type=Literal[NAMES] | Keypoints | PosePhoto | OpenPose
    ),
    Field(description="a named pose; or keypoints; or a photo of somebody in the pose"),
]
_Motion = Annotated[
    Any,
    PlainValidator(
        lambda value: value,
        json_schema_input_type=Literal[MOTIONS]
        | Annotated[list[Any], Field(min_length=MIN_POSES, max_length=MAX_POSES)],
    ),
    Field(
        description="a named motion; or poses, each as POST /v1/generate takes it, through which the person "
        "moves, and back to the first one"
    ),
]


def target(given: object, person: int | None = None) -> Pose | bytes:
    """The pose that a client gave as a name, keypoints or OpenPose document; or the photo that shows it.

    Raises:
        Pg2Error, ApiError: it is none.
    """
    if isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return named_pose(given[:100])
    if not isinstance(given, dict):
        raise Pg2Error("give a named pose, keypoints or a photo")
    if "photo" in given:
        return PosePhoto.read(given).photo
    if "people" in given:
        return Pose.from_openpose(given, "the document", person)
    return Keypoints.read(given).pose()


class PoseRequest(_Request):
    """A photo to find people on."""

    photo: Annotated[File, Field(description="JPEG, PNG, WebP, GIF, BMP or TIFF")]


class _OfPerson(_Request):
    """Whom a picture is wanted of, and by which model."""

    photo: Annotated[File | None, Field(description="JPEG, PNG, WebP, GIF, BMP or TIFF")] = None
    kept: Annotated[
        str | None,
        Field(
            max_length=64, description="in place of the photo: the token of one that POST /v1/photos keeps"
        ),
    ] = None
    model: Annotated[str | None, Field(description="a name of GET /v1/models; default: the first")] = None
    person: Annotated[_Number | None, Field(description="who on the photo, 0 being the largest")] = None
    source_pose: Annotated[
        Keypoints | None,
        Field(description="where the person stands on the photo (POST /v1/pose): spares finding it again"),
    ] = None

    @model_validator(mode="after")
    def _one_photo(self) -> Self:
        if (self.photo is None) == (self.kept is None):
            raise ValueError("give a photo, or in its place the token of one that is kept")
        if self.kept is not None and self.source_pose is not None:
            raise ValueError("source_pose goes with a photo; of one that is kept, the people are known")
        return self


class GenerateRequest(_OfPerson):
    """A photo, a pose, and what is wanted."""

    pose: _Target
    pose_person: Annotated[_Number | None, Field(description="the same for a pose of several people")] = None
    in_place: Annotated[
        bool,
        Field(
            description="move and scale the pose to the person of the photo, instead of filling the picture"
        ),
    ] = False
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
    origin: Annotated[bool, Field(description="whether JSON shall have the picture origin, too")] = False


class AnimationRequest(_OfPerson):
    """A photo, a motion, and what is wanted."""

    motion: _Motion
    fps: Annotated[float | None, Field(ge=1, le=30, description="frames a second; default: 20")] = None
    seconds: Annotated[
        float | None,
        Field(
            ge=0.2,
            le=10,
            description="how long the motion lasts, about; default: of walk and wave some 2, of turn 4, else "
            "one for each pose",
        ),
    ] = None
    format: Annotated[
        Literal["gif", "png", "webp", "mp4"],
        Field(description="png: an animated one; mp4: where GET /v1/motions lists it"),
    ] = "gif"


def form_fields(fields: dict[str, str | bytes]) -> dict[str, Any]:
    """The fields of a form as JSON would have them: there all is text, and empty is absent."""
    read: dict[str, Any] = {name: value for name, value in fields.items() if value != ""}
    for name in ("person", "pose_person"):
        if isinstance(value := read.get(name), str) and value.isdecimal() and len(value) < 10:
            read[name] = int(value)
    for name, begin in (("pose", "{"), ("source_pose", "{"), ("motion", "[")):
        if isinstance(value := read.get(name), str) and value.lstrip().startswith(begin):
            read[name] = from_json(value, name)
    return read


class PoseAnswer(BaseModel):
    """The people on a photo, largest first; there may be none."""

    size: Size
    people: list[Person]


class KeptAnswer(PoseAnswer):
    """The same of a photo that is kept for further requests."""

    kept: Annotated[str, Field(description="its token, which is to be kept secret")]
    seconds: Annotated[float, Field(description="so long after the last request it is kept, or shorter")]


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
    origin: Annotated[
        PngText | None,
        Field(
            description="where it was asked for: the result in grey, the person in blue where copied, in "
            "orange where invented; null where the model does not say"
        ),
    ] = None
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
    formats: Annotated[list[str], Field(description="what format of POST /v1/generate takes")]
    parameters: int
    default: bool
    onnx: Annotated[
        str | None,
        Field(
            description="where its file is, with which clients can make pictures; null: it is not given away"
        ),
    ] = None


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


class MotionsAnswer(BaseModel):
    """What POST /v1/animations takes."""

    motions: Annotated[list[str], Field(description="the motions that have a name")]
    formats: Annotated[list[str], Field(description="mp4 is among them where the service has PyAV")]


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
