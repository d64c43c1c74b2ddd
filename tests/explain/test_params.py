from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import json
import math
import uuid
from collections import OrderedDict
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models
from django.utils.safestring import mark_safe

from perf_panels.explain.params import MAX_KEPT, MAX_SHOWN, NotKept, keep, restore, shown


class Size(models.TextChoices):
    SMALL = "s", "Small"


class Level(models.IntegerChoices):
    HIGH = 3, "High"


class Colour(enum.Enum):
    RED = "#f00"


class NumPyLike(float):
    """
    Says its class in repr(), as NumPy 2 does.
    """

    def __repr__(self):
        return f"np.float64({super().__repr__()})"


class Unknown:
    pass


class Unprintable:
    def __repr__(self):
        raise RuntimeError


def through_the_store(params, **options):
    """
    Return the parameters as a plan made later gets them.
    """
    kept = keep(params, **options)

    assert kept.problem is None, kept.problem
    return restore(json.loads(json.dumps(kept.values)))


def typed(value):
    return type(value), value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -(2**70),
        "",
        "it's 100 % \x00 \u20ac \U0001f600",
        "\ud800",
        1.5,
        0.1 + 0.2,
        -0.0,
        1e308,
        math.inf,
        -math.inf,
        Decimal("12.340"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        dt.date(2026, 2, 28),
        dt.datetime(2026, 2, 28, 23, 59, 59, 999_999),  # noqa: DTZ001 - a naive one is kept naive
        dt.datetime(2026, 2, 28, tzinfo=dt.timezone.utc),
        dt.datetime(2026, 2, 28, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
        dt.time(23, 59, 0, 1),
        dt.time(1, tzinfo=dt.timezone.utc),
        dt.timedelta(days=-1, seconds=5, microseconds=7),
        uuid.UUID(int=5),
        b"",
        b"\x00\xff",
        [],
        [1, "a", None],
        (1, (2, [3, (Decimal(4),)])),
        [[1, 2], [3, 4]],
        {},
        {"a": [1, {"b": None}]},
        ipaddress.ip_address("10.0.0.1"),
        ipaddress.ip_address("::1"),
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_interface("10.0.0.1/8"),
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(value):
    (found,) = through_the_store([value])

    assert typed(found) == typed(value) or str(found) == str(value) == "NaN"
    assert str(found) == str(value)


def test_not_a_number_comes_back():
    (found,) = through_the_store([math.nan])

    assert math.isnan(found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Size.SMALL, "s"),
        (Level.HIGH, 3),
        (Colour.RED, "RED"),
        (mark_safe("<b>"), "<b>"),
        (NumPyLike(1.5), 1.5),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (OrderedDict(a=1), {"a": 1}),
        ([Size.SMALL, Level.HIGH], ["s", 3]),
        (
            dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
            dt.datetime.fromisoformat("2026-07-01T00:00+02:00"),
        ),
    ],
    ids=repr,
)
def test_a_value_of_a_subclass_or_a_buffer_comes_back_as_what_the_driver_makes_of_it(value, expected):
    (found,) = through_the_store([value])

    assert typed(found) == typed(expected)


def test_no_parameters_are_none_and_stay_it():
    assert keep(None).values is None
    assert through_the_store(None) is None


def test_an_empty_list_is_not_none():
    # Django's drivers read the percent signs of a statement only if there are parameters.
    assert through_the_store([]) == []
    assert through_the_store(()) == []


def test_named_parameters_come_back_under_their_names():
    assert through_the_store({"a": 1, "b": [dt.date(2026, 1, 1)]}) == {"a": 1, "b": [dt.date(2026, 1, 1)]}


def test_of_executemany_the_first_set_is_kept():
    assert through_the_store([[1, "a"], [2, "b"]], many=True) == [1, "a"]
    assert through_the_store(({"a": 1}, {"a": 2}), many=True) == {"a": 1}


@pytest.mark.parametrize("params", [(), [], iter([[1]]), None])
def test_executemany_without_a_list_of_sets_cannot_be_explained(params):
    kept = keep(params, many=True)

    assert kept.values is None
    assert params is None or "the parameter sets of executemany were not a list" in kept.problem


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Unknown(), "parameter 2 is a tests.explain.test_params.Unknown"),
        (Unprintable(), "parameter 2 is a tests.explain.test_params.Unprintable"),
        ({1, 2}, "parameter 2 is a builtins.set"),
        ((each for each in "ab"), "parameter 2 is a builtins.generator"),
        ([1, Unknown()], "parameter 2 is a tests.explain.test_params.Unknown"),
        ({"when": dt.date(2026, 1, 1)}, "parameter 2 is JSON that cannot be stored"),
    ],
)
def test_a_value_that_cannot_be_made_again_is_a_sentence_with_its_position(value, what):
    kept = keep(["first", value, "third"])

    assert kept.values is None
    assert kept.problem.startswith("cannot be explained again: ")
    assert what in kept.problem
    assert [entry["name"] for entry in kept.shown] == ["1", "2", "3"]
    assert kept.shown[0] == {"type": "str", "shown": "'first'", "cut": 0, "name": "1"}


def test_a_named_value_that_cannot_be_made_again_is_a_sentence_with_its_name():
    kept = keep({"a": 1, "b": Unknown()})

    assert "parameter b is a" in kept.problem


def test_an_object_that_cannot_print_itself_is_shown_all_the_same():
    (entry,) = keep([Unprintable()]).shown

    assert entry["shown"] == "<RuntimeError in repr()>"


def test_a_generator_of_parameters_was_used_up():
    kept = keep(each for each in [1, 2])

    assert kept.problem == "cannot be explained again: the parameters are a generator, used up when it ran"
    assert kept.shown == []


def test_ten_thousand_parameters_are_a_sentence():
    kept = keep(list(range(10_000)))

    assert kept.values is None
    assert f"more than the {MAX_KEPT:,} kept" in kept.problem
    assert len(kept.shown) == MAX_SHOWN


def test_a_thousand_parameters_are_kept():
    assert through_the_store(list(range(1000))) == list(range(1000))


def test_parameters_are_listed_for_the_page():
    kept = keep(["x" * 1000, dt.date(2026, 1, 1), None])

    first, second, third = shown(kept.values)

    assert (first["name"], first["type"], len(first["shown"]), first["cut"]) == ("1", "str", 300, 702)
    assert second == {"type": "date", "shown": "datetime.date(2026, 1, 1)", "cut": 0, "name": "2"}
    assert third == {"type": "NoneType", "shown": "None", "cut": 0, "name": "3"}


def test_named_parameters_are_listed_under_their_names():
    assert [entry["name"] for entry in shown(keep({"a": 1, "b": 2}).values)] == ["a", "b"]
    assert shown(None) == []


def test_what_a_later_version_stored_is_refused():
    with pytest.raises(NotKept, match="a stored 'hologram', which this version does not know"):
        restore({"listed": [{"hologram": 1}]})


def test_a_value_of_a_package_that_has_gone_is_refused(monkeypatch):
    values = {"listed": [{"psycopg Jsonb": "{}"}]}
    monkeypatch.setattr("perf_panels.explain.params.import_module", _missing)

    with pytest.raises(NotKept, match="not installed: No module named psycopg"):
        restore(values)


def _missing(_name):
    msg = "No module named psycopg"
    raise ImportError(msg)


class TestPsycopg:
    @pytest.fixture(autouse=True)
    def _psycopg(self):
        pytest.importorskip("psycopg")

    def values(self):
        from psycopg import Binary
        from psycopg.types.json import Json, Jsonb
        from psycopg.types.numeric import Float4, Float8, Int2, Int4, Int8, IntNumeric
        from psycopg.types.range import DateRange, Int4Range, NumericRange, Range

        days = (dt.date(2026, 1, 1), dt.date(2026, 2, 1))
        return {
            "smallint": Int2(1),
            "integer": Int4(1),
            "bigint": Int8(2**40),
            "numeric": IntNumeric(2**80),
            "real": Float4(1.5),
            "double precision": Float8(1.5),
            "jsonb": Jsonb({"a": [1, None], "%": "%s"}),
            "json": Json([1]),
            "int4range": Range(1, 5),
            "int4range ": Range(1, 5, "[]"),
            "int4range  ": Int4Range(None, 5),
            "daterange": Range(*days, "()"),
            "daterange ": DateRange(*days),
            "numrange": Range(Decimal("1.5"), None),
            "numrange ": NumericRange(empty=True),
            "tstzrange": Range(dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), None),
            "int4range   ": Range(None, None),
            "int4range    ": Range(empty=True),
            "bytea": Binary(b"\x00\xff"),
            "inet": ipaddress.ip_address("10.0.0.1"),
        }

    def test_its_wrappers_come_back(self):
        for kind, value in self.values().items():
            (found,) = through_the_store([value])

            if kind == "bytea":
                assert found == value.obj
            elif kind in {"json", "jsonb"}:
                assert found.obj == value.obj
            else:
                assert typed(found) == typed(value), kind

    def test_json_is_written_with_the_encoder_of_its_field(self):
        from psycopg.types.json import Jsonb

        value = Jsonb({"day": dt.date(2026, 1, 1)}, dumps=lambda given: json.dumps(given, cls=DjangoJSONEncoder))

        (found,) = through_the_store([value])

        assert found.obj == {"day": "2026-01-01"}

    def test_json_is_shown_as_its_value(self):
        from psycopg.types.json import Jsonb

        (entry,) = shown(keep([Jsonb({"a": 1})]).values)

        assert (entry["type"], entry["shown"]) == ("Jsonb", "{'a': 1}")

    @pytest.mark.django_db(databases=["default", "postgres"])
    def test_the_server_reads_what_comes_back_as_the_same(self, postgres):
        values = self.values() | {
            "text": "it's 100 %",
            "text ": Size.SMALL,
            "text  ": Colour.RED,
            "boolean": True,
            "float8": math.inf,
            "interval": dt.timedelta(days=-1, microseconds=7),
            "time": dt.time(23, 59),
            "uuid": uuid.UUID(int=5),
            "int[]": [1, None, 3],
            "date": dt.date(2026, 1, 1),
            "timestamptz": dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        }
        with connections[postgres].cursor() as cursor:
            for kind, value in values.items():
                answers = []
                for params in ([value], through_the_store([value])):
                    cursor.execute(f"SELECT pg_typeof(%s)::text, (%s::{kind})::text", [*params, *params])
                    answers.append(cursor.fetchone())

                assert answers[0] == answers[1], kind
