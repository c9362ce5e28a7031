"""Records of clips that are nowhere."""

from selfsame.clips.index import Clip
from selfsame.clips.layout import Split
from selfsame.clips.media import Media


def clip(number: int, split: Split | None, fake: bool = True, **facts: object) -> Clip:
    """A readable clip that shares nothing with others but what `facts` say."""
    media = Media(512, 512, 25.0, 250, 10.0, "h264", 800_000.0, "aac", 44_100)
    fields = {
        "path": f"{number}.mp4", "digest": f"{number:064d}", "size_bytes": 1, "modified_ns": 1,
        "label": "fake" if fake else "real", "generator": "Hallo" if fake else None, "identity": f"{number:05d}",
        "driver": f"abcdefghij{number}_1", "youtube": f"abcdefghij{number}", "source": None, "split": split,
        "media": media, "why_left_out": None,
    }  # fmt: skip
    return Clip(**(fields | facts))  # type: ignore[arg-type]
