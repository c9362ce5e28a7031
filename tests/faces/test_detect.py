"""Detection on a real face (NASA's portrait of Eileen Collins, in the scikit-image wheel) and on what is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from selfsame.core.errors import BadInput
from selfsame.faces import detect

EYES_NOSE_MOUTH = np.array([[203, 100], [246, 103], [224, 128], [201, 139], [244, 141]])  # read off the picture


def test_one_face_with_its_five_landmarks() -> None:
    faces = detect.detect(astronaut())
    assert len(faces) == 1 and faces[0].probability > 0.99
    refined = detect.refine(astronaut(), faces[0])
    assert np.abs(refined.landmarks - EYES_NOSE_MOUTH).max() < 5
    assert 70 < refined.size_px < 120


def test_views_agree_on_a_face_and_disagree_when_it_is_covered() -> None:
    (face,) = detect.detect(astronaut())
    assert face.spread_px is None
    plain = detect.refine(astronaut(), face)
    views = np.array([view.landmarks for view in detect._views(astronaut(), face)])
    assert len(views) == detect.VIEWS == 4
    distance = np.linalg.norm(views - plain.landmarks, axis=-1)
    assert plain.spread_px == pytest.approx(np.sqrt((distance**2).mean()))
    covered = astronaut()
    cv2.ellipse(covered, (222, 138), (34, 28), 0, 0, 360, (120, 125, 130), -1)
    unsure = detect.refine(covered, face)
    assert plain.spread_px is not None and unsure.spread_px is not None
    assert unsure.spread_px > 1.5 * plain.spread_px and unsure.probability < plain.probability


def test_where_no_view_shows_a_face_nothing_is_sure() -> None:
    (face,) = detect.detect(astronaut())
    lost = detect.refine(np.zeros_like(astronaut()), face)
    assert lost.probability == 0 and np.array_equal(lost.landmarks, face.landmarks)


def test_spread_is_the_distance_from_the_mean() -> None:
    points = np.zeros((2, 5, 2))
    points[1] = [6, 8]
    assert detect.spread(points) == pytest.approx(5)
    assert detect.spread(points[:1]) == 0


def test_a_face_is_found_again_by_its_size_alone_and_a_small_one_is_not_looked_for() -> None:
    (face,) = detect.detect(astronaut())
    (seen,) = detect.again(astronaut(), face)
    assert detect.shift(seen, face) < 0.05 and abs(seen.size_px / face.size_px - 1) < 0.1
    photo = cv2.resize(astronaut(), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert detect.detect(photo) and not detect.again(photo, replace(face, box=4 * face.box))


def test_a_mirrored_photo_has_mirrored_landmarks() -> None:
    photo = astronaut()
    flipped = np.ascontiguousarray(photo[:, ::-1])
    one, other = (detect.refine(p, detect.detect(p)[0]).landmarks for p in (photo, flipped))
    back = other[detect.MIRROR_ORDER] * [-1, 1] + [photo.shape[1] - 1, 0]
    assert np.abs(back - one).max() < 1.0


def test_a_large_photo_gives_the_same_face_in_its_own_pixels() -> None:
    large = cv2.resize(astronaut(), None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    small_face, large_face = (detect.refine(p, detect.detect(p)[0]) for p in (astronaut(), large))
    assert np.abs((large_face.landmarks + 0.5) / 5 - 0.5 - small_face.landmarks).max() < 1.0


def test_the_clearly_larger_of_two_faces_is_the_subject() -> None:
    photo = astronaut()
    small = cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 768, 3), np.uint8)
    both[:, :512], both[:256, 512:] = photo, small
    faces = detect.detect(both)
    assert len(faces) == 2
    assert detect.the_face(faces) is faces[0] and faces[0].area_px > 2 * faces[1].area_px


def test_two_faces_of_one_size_are_refused() -> None:
    with pytest.raises(BadInput, match="Two faces of similar size"):
        detect.the_face(detect.detect(np.hstack([astronaut(), astronaut()])))


def test_a_small_face_is_refused_with_its_size() -> None:
    small = np.full((300, 300, 3), 60, np.uint8)
    small[50:188, 50:188] = cv2.resize(astronaut(), (138, 138), interpolation=cv2.INTER_AREA)
    with pytest.raises(BadInput, match=r"The face is 2\d px wide, less than 40 px"):
        detect.the_face(detect.detect(small))


@pytest.mark.parametrize("shape", [(1, 1, 3), (12, 400, 3), (30, 30, 3), (400, 300, 3)])
def test_no_face(shape: tuple[int, int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    with pytest.raises(BadInput, match="No face was found"):
        detect.the_face(detect.detect(photo))
