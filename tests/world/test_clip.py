"""Talking clips: mouth, sound and truth agree, on disk too; what cannot be filmed is said at once."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import GeneratorType

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core import image, soundtrack, video
from selfsame.core.errors import BadInput, WrongUse
from selfsame.world import album, person, truth
from selfsame.world import clip as clips
from selfsame.world.clip import Clip
from selfsame.world.person import IDENTITY_DIM
from selfsame.world.speech import CONSONANTS

SIZE_PX, LENGTH_S = 64, 0.6
FINE_HZ = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Path]:
    """A clip of 0.6 seconds and the folder that it was written to as "ada"."""
    clip = clips.talk(4, LENGTH_S, years=41.0)
    folder = tmp_path_factory.mktemp("clips")
    truth.write_clip(clip, folder, "ada", SIZE_PX)
    return clip, folder


def heard(clip: Clip, path: Path) -> np.ndarray:
    """The clip's sound after a trip through an MP4 with black pictures."""
    black = (torch.zeros(3, 32, 32) for _ in range(len(clip)))
    video.write(path, black, clip.plan.fps, sound=soundtrack.Sound(clip.rate_hz, clip.sound))
    return soundtrack.read(path).samples


def envelope(sound: np.ndarray, rate_hz: int, hz: float, count: int) -> np.ndarray:
    """Loudness (count,) of each stretch of 1 / hz seconds."""
    slot = (np.arange(len(sound)) / rate_hz * hz).astype(int)
    power = np.bincount(slot, sound.astype(float) ** 2, count)[:count]
    return np.sqrt(power / np.maximum(np.bincount(slot, minlength=count)[:count], 1))


def voiced(clip: Clip, times_s: np.ndarray) -> np.ndarray:
    """Where the vocal folds sound."""
    found = np.zeros(len(times_s), bool)
    for s in clip.speech.syllables:
        start_s = s.start_s if CONSONANTS[s.consonant].voice else s.vowel_s
        found |= (times_s >= start_s) & (times_s < s.end_s)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_mouth_follows_the_sound_of_the_file(seed: int, tmp_path: Path) -> None:
    clip = clips.talk(seed, 12.0)
    sound = heard(clip, tmp_path / "a.mp4")
    times_s = (np.arange(len(clip)) + 0.5) / clip.plan.fps
    mouth = clip.look.expression.mouth_open.clamp_min(0).numpy()
    loud, on = envelope(sound, clip.rate_hz, clip.plan.fps, len(clip)), voiced(clip, times_s)
    assert np.corrcoef(loud[on], mouth[on])[0, 1] > 0.65
    assert np.corrcoef(loud, mouth)[0, 1] > 0.75


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0])
def test_sound_and_picture_are_less_than_half_a_frame_apart(fps: float, tmp_path: Path) -> None:
    clip = clips.talk(11, 10.0, fps)
    count = round(len(clip) / fps * FINE_HZ)
    loud = envelope(heard(clip, tmp_path / "a.mp4"), clip.rate_hz, FINE_HZ, count)
    shown_s = (np.arange(len(clip)) + 0.5) / fps
    mouth = np.interp((np.arange(count) + 0.5) / FINE_HZ, shown_s, clip.look.expression.mouth_open.clamp_min(0).numpy())
    lags = range(-40, 41)
    fit = [np.corrcoef(loud[40 + lag : count - 40 + lag], mouth[40 : count - 40])[0, 1] for lag in lags]
    assert abs(lags[int(np.argmax(fit))]) / FINE_HZ < 0.5 / fps


def test_the_drawn_mouth_follows_the_truth() -> None:
    clip = clips.talk(4, 3.0)
    shown = list(range(3, len(clip), 8))
    look, camera = person.select(clip.look, shown), clip.camera[shown]
    opened = look.expression.mouth_open.clamp_min(0)
    shut = replace(look, expression=replace(look.expression, mouth_open=torch.zeros_like(opened)))
    seen, still = (album.photograph(each, camera, SIZE_PX, 1) for each in (look, shut))
    change = (seen - still).abs().mean((1, 2, 3))
    assert np.corrcoef(change.numpy(), opened.numpy())[0, 1] > 0.9
    assert float(change[opened == 0].max()) == 0


def test_one_person_in_one_place_for_the_whole_clip() -> None:
    clip = clips.talk(4, 2.0, years=50.0)
    code = person.encode(clip.look)
    assert torch.equal(code[:, :IDENTITY_DIM], code[:1, :IDENTITY_DIM].expand(len(code), -1))
    torch.testing.assert_close(code[0, :IDENTITY_DIM], person.draw_identity([4])[0].clamp(-3.7, 3.7), atol=2e-3, rtol=0)
    assert set(clip.look.age.years.tolist()) == {50.0}
    assert len(set(clip.look.backdrop.bright.tolist())) == 1
    assert len(clip) == len(clip.camera) == 50 and len(clip.sound) == 2 * clip.rate_hz


def test_takes_differ_and_calls_repeat() -> None:
    one, same, other = clips.talk(4, 3.0), clips.talk(4, 3.0), clips.talk(4, 3.0, take=1)
    assert np.array_equal(one.sound, same.sound) and torch.equal(person.encode(one.look), person.encode(same.look))
    assert torch.equal(one.camera.pack(), same.camera.pack())
    assert other.speech != one.speech and not torch.equal(other.turn, one.turn)
    assert torch.equal(other.look.identity.chin[:1], one.look.identity.chin[:1])


def test_the_light_stays_in_the_room() -> None:
    clip = clips.talk(6, 4.0)
    yaw, pitch = clip.look.light.yaw, clip.look.light.pitch
    key = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    room = (cameras.rotation(clip.turn) @ key[..., None])[..., 0]
    torch.testing.assert_close(room, room[:1].expand_as(room), atol=1e-5, rtol=0)
    assert float(key.std(0).max()) > 0.01


def test_a_turned_head_shows_its_side() -> None:
    """Turned to its left, towards +x, the head is seen from its right, from -x."""
    clip = clips.talk(6, 4.0)
    yaw, _ = cameras.angles(clip.camera)
    assert np.corrcoef(yaw.numpy(), clip.turn[:, 1].numpy())[0, 1] < -0.99


def test_eyes_come_back_to_the_camera() -> None:
    clip = clips.talk(6, 20.0)
    yaw, pitch = cameras.angles(clip.camera)
    face = clip.look.expression
    aside = face.gaze_right - (0.8 * yaw.sin()).clamp(-0.28, 0.28)
    assert float((aside.abs() < 0.01).float().mean()) > 0.3 and float(aside.abs().max()) > 0.1
    assert np.corrcoef(pitch.numpy(), clip.turn[:, 0].numpy())[0, 1] > 0.99


def test_a_film_is_rendered_as_it_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def photograph(look: person.Look, *_: object) -> Tensor:
        asked.append(len(look))
        return torch.zeros(len(look), 3, 8, 8)

    monkeypatch.setattr(clips, "photograph", photograph)
    watched = clips.film(clips.talk(4, 60.0), 8)
    assert isinstance(watched, GeneratorType) and not asked
    next(watched)
    assert asked == [clips.BATCH]
    assert 1 + len(list(watched)) == 1500 and max(asked) == clips.BATCH


def test_the_file_has_the_rate_and_both_streams_the_same_length(made: tuple[Clip, Path]) -> None:
    clip, folder = made
    with av.open(str(folder / "ada.mp4")) as container:
        seen, sound = container.streams.video[0], container.streams.audio[0]
        assert seen.average_rate == 25 and seen.frames == len(clip) == 15
        assert (seen.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert seen.start_time == sound.start_time == 0
        lengths = [float(stream.duration * stream.time_base) for stream in (seen, sound)]
    assert lengths == pytest.approx([LENGTH_S, LENGTH_S], abs=0.02)
    first = next(video.frames(folder / "ada.mp4")).pixels
    again = image.to_uint8(next(clips.film(clip, SIZE_PX))[None])[0]
    assert first.shape == again.shape and np.abs(first.astype(int) - again).mean() < 4


def test_the_truth_comes_back(made: tuple[Clip, Path]) -> None:
    clip, folder = made
    back = truth.read_truth(folder, "ada")
    assert torch.equal(back.codes, person.encode(clip.look))
    assert all(torch.equal(getattr(back.expression, k), v) for k, v in vars(clip.look.expression).items())
    assert torch.equal(back.camera.pack(), clip.camera.pack())
    assert torch.equal(back.turn, clip.turn) and torch.equal(back.shift, clip.shift)
    h = back.header
    assert (h.identity, h.driver, h.generator, h.source) == ("world-4", "world-4", "world", None)
    assert h.plan == clip.plan and h.plan.years == 41 and (h.frames, h.size_px) == (15, SIZE_PX)
    assert (h.syllables, h.phrases, h.blinks) == (clip.speech.syllables, clip.speech.phrases, clip.blinks)
    assert truth.from_json(truth.Header, (folder / "ada.truth.json").read_text()) == h


def test_the_codes_draw_the_frames_again(made: tuple[Clip, Path]) -> None:
    clip, folder = made
    back = truth.read_truth(folder, "ada")
    look = person.decode(back.codes, person.draw_marks([4] * len(clip)))
    look = replace(look, expression=back.expression)
    again = next(clips.film(replace(clip, look=look, camera=back.camera), SIZE_PX))
    assert float((again - next(clips.film(clip, SIZE_PX))).abs().mean()) < 0.01


def test_the_same_call_writes_the_same_bytes_and_another_is_refused(made: tuple[Clip, Path], tmp_path: Path) -> None:
    clip, folder = made
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    truth.write_clip(clip, tmp_path, "ada", SIZE_PX)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for other, size_px in ((clips.talk(5, LENGTH_S, years=41.0), SIZE_PX), (clip, SIZE_PX + 2)):
        with pytest.raises(BadInput, match="another clip"):
            truth.write_clip(other, folder, "ada", size_px)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_video_of_somebody_else_is_not_overwritten(made: tuple[Clip, Path], tmp_path: Path) -> None:
    (tmp_path / "ada.mp4").write_bytes(b"mine")
    with pytest.raises(BadInput, match="another clip"):
        truth.write_clip(made[0], tmp_path, "ada", SIZE_PX)
    assert (tmp_path / "ada.mp4").read_bytes() == b"mine"


def test_a_stopped_film_leaves_no_video_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips.talk(4, 0.2)

    def broken(*_: object) -> Iterator[Tensor]:
        yield torch.zeros(3, SIZE_PX, SIZE_PX)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(truth, "film", broken)
        with pytest.raises(KeyboardInterrupt):
            truth.write_clip(clip, tmp_path, "ada", SIZE_PX)
    assert not list(tmp_path.glob("*.mp4"))
    heard: list[tuple[int, int]] = []
    truth.write_clip(clip, tmp_path, "ada", SIZE_PX, lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, 5) and heard[-1] == (5, 5) and (tmp_path / "ada.mp4").exists()


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01, float("nan"), float("inf")])
def test_a_clip_without_frames_is_refused(seconds: float) -> None:
    with pytest.raises(WrongUse, match="no frame"):
        clips.talk(1, seconds)


@pytest.mark.parametrize("fps", [0.0, -25.0, 500.0, float("nan")])
def test_an_impossible_rate_is_refused(fps: float) -> None:
    with pytest.raises(WrongUse, match="frames a second"):
        clips.talk(1, 1.0, fps)


@pytest.mark.parametrize("years", [3.0, 120.0, float("nan")])
def test_an_impossible_age_is_refused(years: float) -> None:
    with pytest.raises(WrongUse, match="years old"):
        clips.talk(1, 1.0, years=years)


@pytest.mark.parametrize("size_px", [0, -2, 30, 65])
def test_an_impossible_size_is_refused_before_anything_is_written(size_px: int, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="even number"):
        truth.write_clip(clips.talk(1, 1.0), tmp_path, "ada", size_px)
    assert not list(tmp_path.iterdir())


def test_a_missing_and_a_damaged_truth_say_so(made: tuple[Clip, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no truth"):
        truth.read_truth(tmp_path, "ada")
    whole = (made[1] / "ada.truth.safetensors").read_bytes()
    (tmp_path / "ada.truth.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="damaged"):
        truth.read_truth(tmp_path, "ada")


def test_the_python_of_the_docs_reads_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "world.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page.split("## Talking clips")[1], re.DOTALL)
    truth.write_clip(clips.talk(4, 0.5), tmp_path / "clips", "ada", 32)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    assert len(names["heard"]) == 0.04 * 24000  # type: ignore[arg-type]
