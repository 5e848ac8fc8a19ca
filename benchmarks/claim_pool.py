"""Fills a database with work that waits: the demonstration network with more people, and synthetic items in its mix.

It writes rows directly, as the owner, because a benchmark of claims needs no images. It must not
claim. Patients are synthetic and have no names.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, Engine, text

from allocation.configuration.apply import apply
from allocation.configuration.document import Reporter as ReporterRow
from allocation.configuration.read import ReadNetwork
from allocation.workforce import index_new_profiles
from cli.demonstration.network import demonstration_network
from worklist.exams.catalogue import profile_id_of, rules_in_force
from worklist.profile import profile_of

#: Share of each modality in what an NHS network reports; within one, exams are alike frequent.
MODALITY_SHARE = {"XR": 50, "US": 14, "CT": 20, "MR": 12, "MG": 2, "NM": 1, "RF": 1}
_SETTING_SHARE = {"emergency": 30, "inpatient": 20, "outpatient": 28, "gp": 20, None: 2}
_FLAG_SHARE = {(): 95, ("known_cancer_staging",): 3, ("major_trauma",): 1, ("post_operative_complex",): 1}


def make_network(app: Engine) -> None:
    """Import the demonstration network with every reporter three times, so that fifty clients are fifty people."""
    read = demonstration_network()
    people = tuple(_again(one, number) for number in range(_TIMES) for one in read.network.reporter)
    larger = read.network.model_copy(update={"reporter": people})
    with app.begin() as connection:
        apply(connection, ReadNetwork(larger, read.sources), by="benchmark")


def fill_pool(owner: Engine, items: int, seed: int) -> int:
    """Add `items` items, each with one open first reading; gives how many profiles they have."""
    with owner.begin() as connection:
        trusts = connection.scalars(text("SELECT ods_code FROM trust ORDER BY ods_code")).all()
        drawn = _draw(connection, items, Random(seed))
        connection.execute(text(_PATIENTS), {"trusts": trusts, "count": items})
        connection.execute(text(_ITEMS), drawn)
        for statement in _OF_ITEMS:
            connection.execute(text(statement))
        index_new_profiles(connection)
        connection.execute(text("DROP TABLE drawn"))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return len(set(drawn["profile"]))


def _draw(connection: Connection, items: int, rng: Random) -> dict[str, list[Any]]:
    """Draw the facts of items and give them as columns; their profiles are added."""
    exams = connection.execute(text("SELECT code, modality, ionising, reporting_minutes FROM exam ORDER BY code")).all()
    of_modality = {name: [exam for exam in exams if exam.modality == name] for name in MODALITY_SHARE}
    cut = rules_in_force(connection).cut
    told = frozenset[str]().union(*cut.flags_of_group.values())  # each is so or is not: nothing waits for an answer
    known: dict[Any, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    modalities, settings, flags = (
        _weighted(rng, share, items) for share in (MODALITY_SHARE, _SETTING_SHARE, _FLAG_SHARE)
    )
    for modality, setting, flag in zip(modalities, settings, flags, strict=True):
        exam = rng.choice(of_modality[modality])
        age = rng.choices((None, rng.randint(0, 15), rng.randint(16, 99)), (1, 9, 90))[0]
        cleared = sorted(told.difference(flag))
        wanted = profile_of([exam.code], age, setting, flag, cleared, cut)
        if wanted.key not in known:
            known[wanted.key] = profile_id_of(connection, wanted, [exam.ionising])
        due_in = timedelta(hours=rng.uniform(-24, 24 * 28))
        said = (",".join(flag), ",".join(cleared))
        drawn = (exam.code, modality, exam.reporting_minutes, age, setting, *said, due_in, known[wanted.key])
        for name, value in zip(_COLUMNS, drawn, strict=True):
            columns[name].append(value)
    return columns


def _weighted(rng: Random, share: dict[Any, int], count: int) -> list[Any]:
    return rng.choices(list(share), list(share.values()), k=count)


def _again(one: ReporterRow, number: int) -> ReporterRow:
    posts = tuple(post.model_copy(update={"code": f"{post.code}-{number}"}) for post in one.engagements)
    return one.model_copy(update={"id": f"{one.id}-{number}", "engagements": posts})


_TIMES = 3

_COLUMNS = ("exam", "modality", "minutes", "age", "setting", "flags", "cleared", "due_in", "profile")

_PATIENTS = """
INSERT INTO patient (trust_ods, issuer, identifier)
SELECT (CAST(:trusts AS text[]))[1 + n % cardinality(CAST(:trusts AS text[]))], 'BENCHMARK', 'B' || n
FROM generate_series(1, :count) n
"""

_ITEMS = """
CREATE TEMPORARY TABLE drawn AS
WITH facts AS (
  SELECT row_number() OVER () AS n, f.* FROM unnest(
    CAST(:exam AS text[]), CAST(:modality AS text[]), CAST(:minutes AS numeric[]), CAST(:age AS smallint[]),
    CAST(:setting AS text[]), CAST(:flags AS text[]), CAST(:cleared AS text[]), CAST(:due_in AS interval[]),
    CAST(:profile AS integer[])
  ) f (exam, modality, minutes, age, setting, flags, cleared, due_in, profile)
), someone AS (
  SELECT row_number() OVER (ORDER BY id) AS n, id, trust_ods FROM patient WHERE issuer = 'BENCHMARK'
), made AS (
  INSERT INTO item (trust_ods, patient_id, state, modality, age_years, exam_date, setting, urgency, flags,
                    cleared_flags, clock_start_at, clock_start_source, due_at, reporting_minutes, profile_id, ready_at)
  SELECT s.trust_ods, s.id, 'ready', f.modality, f.age, current_date, f.setting, 'routine',
         array_remove(string_to_array(f.flags, ','), ''), array_remove(string_to_array(f.cleared, ','), ''),
         radpool_now() - interval '1 hour', 'receipt',
         radpool_now() + f.due_in, f.minutes, f.profile, radpool_now()
  FROM facts f JOIN someone s USING (n)
  RETURNING id, patient_id, trust_ods, due_at, reporting_minutes, profile_id
)
SELECT made.*, f.exam FROM made JOIN someone s ON s.id = made.patient_id JOIN facts f USING (n)
"""

_OF_ITEMS = (
    "INSERT INTO order_identity (item_id, trust_ods, accession_number) SELECT id, trust_ods, 'B' || id FROM drawn",
    "INSERT INTO item_exam (item_id, position, exam_code, mapped_by) SELECT id, 0, exam, 'requested-code' FROM drawn",
    "INSERT INTO exam_as_sent (item_id, position, trust_ods, code) SELECT id, 0, trust_ods, exam FROM drawn",
    "INSERT INTO reading (item_id, purpose, state, trust_ods, profile_id, due_at, reporting_minutes)"
    " SELECT id, 'first', 'open', trust_ods, profile_id, due_at, reporting_minutes FROM drawn ORDER BY due_at",
)
