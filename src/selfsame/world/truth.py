"""A clip on disk: an MP4 with sound, and beside it all that is true of it, as safetensors and as JSON for people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from selfsame.core import soundtrack, video
from selfsame.core.camera import Camera
from selfsame.core.config import from_json, to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import versions
from selfsame.world import person
from selfsame.world.clip import Clip, Plan, film
from selfsame.world.motion import Blink
from selfsame.world.person import Expression
from selfsame.world.speech import Phrase, Syllable

CRF = 16  # of the H.264: flat synthetic skin shows blocks early
SMALLEST_PX = 32
GENERATOR = "world"


@dataclass(frozen=True)
class Header:
    """What a clip is. An index reads who is seen, who moves, what made it and from what, and need not guess any of it.

    `identity` and `driver` are the same person here, and there is no `source`: nothing was transferred from a clip.
    """

    name: str
    identity: str
    driver: str
    generator: str
    source: str | None
    plan: Plan
    size_px: int
    frames: int
    rate_hz: int
    phrases: tuple[Phrase, ...]
    syllables: tuple[Syllable, ...]
    blinks: tuple[Blink, ...]
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of each of T frames: the looks' codes, the expression, cameras in the head's frame, and the head.

    `expression` holds a tensor (T,) a field, which also keeps what lies beyond the range of a code; `turn` are rotation
    vectors in radians, `shift` world units. Frame i shows the middle of its time, (i + 0.5) / fps seconds.
    """

    header: Header
    codes: Float[Tensor, "t d"]
    expression: Expression
    camera: Camera
    turn: Float[Tensor, "t 3"]
    shift: Float[Tensor, "t 3"]


@dataclass(frozen=True)
class Files:
    """Where a clip of this name lies."""

    video: Path
    truth: Path
    header: Path


def files(folder: Path | str, name: str) -> Files:
    """The three files of a clip."""
    folder = Path(folder)
    return Files(folder / f"{name}.mp4", folder / f"{name}.truth.safetensors", folder / f"{name}.truth.json")


def write_clip(
    clip: Clip, folder: Path | str, name: str, size_px: int = 256, progress: Callable[[int, int], None] | None = None
) -> Files:
    """Film a clip and write it with its truth, each file whole or not at all; `progress` hears frames done and in all.

    The same call again writes the same. Raises BadInput where the name holds another clip, WrongUse for a bad size.
    """
    check_size(size_px)
    made, header = files(folder, name), _header(clip, name, size_px)
    _claim(made, header)
    write_atomic(made.truth, to_safetensors(_tensors(clip), {"header": to_json(header)}))
    write_atomic(made.header, to_json(header))

    def frames() -> Iterator[Tensor]:
        for number, frame in enumerate(film(clip, size_px)):
            if progress:
                progress(number, len(clip))
            yield frame

    # The video last: where there is one, its truth is there too.
    sound = soundtrack.Sound(clip.rate_hz, clip.sound)
    video.write(made.video, frames(), clip.plan.fps, crf=CRF, sound=sound)
    if progress:
        progress(len(clip), len(clip))
    return made


def check_size(size_px: int) -> None:
    """Raise WrongUse for a side that frames cannot have."""
    if size_px < SMALLEST_PX or size_px % 2:
        raise WrongUse(f"Frames of {size_px} px cannot be filmed.", f"Ask for an even number from {SMALLEST_PX} on.")


def read_truth(folder: Path | str, name: str) -> Truth:
    """The truth of a clip that `write_clip` wrote; raises BadInput where it is missing, damaged or from elsewhere."""
    path = files(folder, name).truth
    if not path.is_file():
        raise BadInput(f"There is no truth of a clip {name} in {folder}.", "Make one with `selfsame world clip`.")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("header", "")
            t = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        curves = Expression(**{f.name: t[f"expression.{f.name}"] for f in fields(Expression)})
        return Truth(_parse(text, path), t["codes"], curves, Camera.unpack(t["cameras"]), t["turn"], t["shift"])
    except (SafetensorError, OSError, KeyError) as error:
        raise BadInput(f"{path} is damaged or of another version.", "Make the clip again.") from error


def _parse(text: str, path: Path) -> Header:
    return from_json(Header, text, f"The header in {path}")


def _header(clip: Clip, name: str, size_px: int) -> Header:
    who = f"{GENERATOR}-{clip.plan.seed}"
    return Header(
        name=name,
        identity=who,
        driver=who,
        generator=GENERATOR,
        source=None,
        plan=clip.plan,
        size_px=size_px,
        frames=len(clip),
        rate_hz=clip.rate_hz,
        phrases=clip.speech.phrases,
        syllables=clip.speech.syllables,
        blinks=clip.blinks,
    )


def _tensors(clip: Clip) -> dict[str, Tensor]:
    curves = {f"expression.{key}": value for key, value in vars(clip.look.expression).items()}
    rest = {"codes": person.encode(clip.look), "cameras": clip.camera.pack(), "turn": clip.turn, "shift": clip.shift}
    return {key: value.contiguous() for key, value in {**curves, **rest}.items()}


def _claim(made: Files, header: Header) -> None:
    """Raise BadInput where the name is taken by another clip."""
    taken = made.video.exists()
    if made.header.exists():
        there = _parse(made.header.read_text(), made.header)
        taken = (there.plan, there.size_px) != (header.plan, header.size_px)
    if taken:
        raise BadInput(
            f"{made.video} holds another clip (person, take, length, age or size).",
            "Choose another name, or another folder with --out.",
        )
