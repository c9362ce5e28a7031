"""Names of clips: every spelling that was seen, dashes that belong to ids, and dashes that were lost."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsame.clips import names
from selfsame.clips.names import Name, generator_of, parse_fake, parse_real

SEEN = {
    "00023--7lHr2ZNlULA_4--Hallo": ("00023", "7lHr2ZNlULA_4", "Hallo"),
    "01896---7g1ti_tjuvQ_1_Hallo": ("01896", "7g1ti_tjuvQ_1", "Hallo"),
    "06137--qhZFtomQaxw_15_LivePortrait": ("06137", "qhZFtomQaxw_15", "LivePortrait"),
    "17487_SAK2kObsiMY_5_512x512_3_APAudio": ("17487", "SAK2kObsiMY_5", "AniPortraitAudio"),
    "36980_xgMGnhrKZQI_44_512x512_3_APVideo": ("36980", "xgMGnhrKZQI_44", "AniPortraitVideo"),
    "69374__W4Em_fHubY_23_EmoPortraits": ("69374", "_W4Em_fHubY_23", "EMOPortraits"),
    "09592-HraqSpgcdgM_3": ("09592", "HraqSpgcdgM_3", None),
    "47608--5be_UPkLRw_4--Hallo2": ("47608", "-5be_UPkLRw_4", "Hallo2"),
    "05091---KJZPwHVV-FQ_4_Hallo2": ("05091", "KJZPwHVV-FQ_4", "Hallo2"),
}


@pytest.mark.parametrize("stem", sorted(SEEN))
def test_names_that_were_seen(stem: str) -> None:
    portrait, clip, generator = SEEN[stem]
    assert parse_fake(stem) == Name(portrait, clip, clip.rsplit("_", 1)[0], generator, "CelebV-HQ")


YOUTUBE = st.text(string.ascii_letters + string.digits + "-_", min_size=11, max_size=11)


@given(
    st.integers(0, 69_999),
    YOUTUBE.filter(lambda y: y[0].isalnum()),
    st.integers(0, 99),
    st.sampled_from(["--", "_", "-"]),
    st.sampled_from(names.MAIN),
)
def test_any_id_is_found_by_its_length(portrait: int, youtube: str, segment: int, dash: str, generator: str) -> None:
    found = parse_fake(f"{portrait:05d}{dash}{youtube}_{segment}{dash}{generator}")
    assert found and (found.portrait, found.generator) == (f"{portrait:05d}", generator)
    # An id may itself hold eleven characters, an underscore and a number; then the shorter reading is as good.
    assert found.clip == f"{youtube}_{segment}" or "_" in youtube


def test_spellings_of_generators() -> None:
    for word, name in {
        "EmoPortrait": "EMOPortraits", "EmoPortraits": "EMOPortraits", "EMOPortraits": "EMOPortraits",
        "LivePortriat": "LivePortrait", "AniAudio": "AniPortraitAudio", "APVideo": "AniPortraitVideo",
        "AniPortrait-Video": "AniPortraitVideo", "MAGI-1": "MAGI-1", "hallo": "Hallo", "Hallo2": "Hallo2",
    }.items():  # fmt: skip
        assert generator_of(word) == name
    assert generator_of("512x512") is None and generator_of("Real") is None


def test_real_names() -> None:
    assert parse_real("RmxqK1np7rY_2_Real") == Name(None, "RmxqK1np7rY_2", "RmxqK1np7rY", None, "CelebV-HQ")
    assert parse_real("-5be_UPkLRw_4") == Name(None, "-5be_UPkLRw_4", "-5be_UPkLRw", None, "CelebV-HQ")
    assert parse_real("001") == Name(None, "001", None, None, "FaceForensics++")
    assert parse_real("holiday") is None and parse_fake("holiday") is None


def test_magi_has_a_number_alone() -> None:
    assert parse_fake("17") == Name(portrait="00017")
