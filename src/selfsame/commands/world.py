"""`selfsame world album`, `clip` and `benchmark`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import DryRun, Json, People


def album(
    name: str,
    *,
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 0,
    photos: Annotated[int, shared.COUNT, Parameter(help="How many photos are taken.")] = 30,
    years: Annotated[tuple[float, float], Parameter(help="Youngest and oldest age on the photos.")] = (33.0, 36.0),
    session: Annotated[
        int, Parameter(help="A later session, in another style: photos alone, for `selfsame update` to take in.")
    ] = 0,
    out: Annotated[Path, Parameter(help="Folder that the photos go into, one folder a person.")] = Path("photos"),
    people: People = shared.PEOPLE,
    json: Json = False,
) -> None:
    """Photograph a synthetic person and make an album of the photos, as from a phone.

    With --session 1 and more the photos of a later session are made, and no album.

    Example: selfsame world album ada --seed 3 --photos 20 --years 30 60
    """
    from selfsame.jobs import synthetic
    from selfsame.world import album as world

    folder = shared.person_folder(people, name)
    if session:
        where = out / f"{name}-{session}"
        world.shoot(seed, photos, where, years, session)
        shared.say({"photos": where}, json, lambda: print(f"{photos} photos of session {session} in {where}."))
        return
    with shared.progress(json) as progress:
        shoot = world.shoot(seed, photos, out / name, years)
        made = synthetic.album_of(folder, shoot)
        made.add(shoot.files, progress=lambda done, total, _: progress("taking photos in", done, total))
    record = {"album": folder, "photos": out / name, "kept": len(made.kept)}
    shared.say(record, json, lambda: print(f"{len(made.kept)} of {photos} photos kept in {folder}."))


def clip(
    name: str,
    *,
    seed: Annotated[int, Parameter(help="Which synthetic person.")] = 0,
    take: Annotated[int, Parameter(help="Another number: the same person says something else, elsewhere.")] = 0,
    seconds: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Length of the clip.")] = 6.0,
    size: Annotated[int, shared.COUNT, Parameter(help="Side of the frames in pixels, an even number.")] = 256,
    fps: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Frames a second.")] = 25.0,
    years: Annotated[float, Parameter(help="The person's age.")] = 35.0,
    out: Annotated[Path, Parameter(help="Folder that the clip and its truth go into.")] = Path("clips"),
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Film a synthetic person who talks: an MP4 with sound, and the truth of every frame beside it.

    The same command again makes the same clip.

    Example: selfsame world clip ada --seed 4 --seconds 6 --years 35
    """
    from selfsame.world import clip as world
    from selfsame.world import truth

    made = truth.files(out, shared.checked(name))
    record = {"video": made.video, "truth": made.truth, "header": made.header, "seed": seed, "take": take}
    truth.check_size(size)
    talk = world.talk(seed, seconds, fps, years, take)
    record |= {"frames": len(talk), "seconds": len(talk) / fps, "syllables": len(talk.speech.syllables)}
    if dry_run:
        words = f"{len(talk)} frames of {size} px of person {seed}, {len(talk) / fps:.2f} s, into {made.video}"
        shared.say({**record, **vars(talk.plan)}, json, lambda: print(words))
        return
    with shared.progress(json) as progress:
        truth.write_clip(talk, out, name, size, lambda done, total: progress("filming", done, total))
    shared.say(record, json, lambda: print(f"{made.video} and its truth, {made.header.name} and {made.truth.name}."))


def benchmark(
    *,
    out: Annotated[Path, Parameter(help="Folder that the clips and clips.csv go into.")],
    people: Annotated[tuple[int, int, int], Parameter(help="How many people for training, selection and test.")] = (
        40,
        12,
        34,
    ),
    first: Annotated[int, Parameter(help="The seed of the first person; the others follow.")] = 970_000,
    takes: Annotated[int, shared.COUNT, Parameter(help="Real clips of each person.")] = 3,
    seconds: Annotated[float, shared.ABOVE_ZERO, Parameter(help="Length of every clip.")] = 1.28,
    size: Annotated[int, shared.COUNT, Parameter(help="Side of the frames in pixels, an even number.")] = 192,
    jobs: Annotated[int, shared.COUNT, Parameter(help="Processes that share the clips.")] = 1,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Film synthetic people who talk, and make fakes of them: a benchmark of deepfakes without any real person.

    Six generators fake everybody; two more only those of the test. People and drivers never cross splits. The same
    command again goes on.

    Example: selfsame world benchmark --out fakes --jobs 2
    """
    from dataclasses import asdict

    from selfsame.jobs import bench_world, bench_world_plan
    from selfsame.tasks import fakes

    config = bench_world_plan.SetConfig(first=first, people=people, takes=takes, seconds=seconds, size_px=size)
    real, wanted = bench_world_plan.takes(config), bench_world_plan.planned(config)
    counts = {name: sum(fake.generator == name for fake in wanted) for name in fakes.GENERATORS}
    record = {"csv": out / bench_world.CSV_FILE, "real": len(real), "fake": counts}
    if dry_run:
        lines = [f"{counts[name]:4} {name}: {made.about}" for name, made in fakes.GENERATORS.items()]
        shared.say({**record, **asdict(config)}, json, lambda: print(f"{len(real):4} real", *lines, sep="\n"))
        return
    with shared.progress(json) as progress:
        file = bench_world.make(out, config, jobs, progress)
    shared.say(record, json, lambda: print(f"{len(real)} real clips, {len(wanted)} fakes: {file}"))
