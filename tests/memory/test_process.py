"""
What is read of the process: resident memory, its high-water mark, pauses, other requests, all objects.
"""

from __future__ import annotations

import copy
import gc
import mmap
import pickle
import subprocess
import sys
import threading
import time
from collections import Counter
from types import FrameType, SimpleNamespace

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.template import Engine, Template
from django.views.generic import ListView

from perf_panels import afterwards
from perf_panels.memory import kept, objects
from perf_panels.memory.instances import Instances, counting, install
from perf_panels.memory.kept import Baseline, Weighing
from perf_panels.memory.others import Crowd
from perf_panels.memory.pauses import Pauses
from perf_panels.memory.process import HighWater, Reading, noise_bytes
from perf_panels.memory.sampling import Sampler
from tests.site.models import Author, Profile, Publisher

MIB = 1024**2
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@ON_LINUX
def test_a_reading_agrees_with_psutil():
    psutil = pytest.importorskip("psutil")
    reading = Reading()

    ours, theirs = reading.read(), psutil.Process().memory_info().rss

    assert ours == pytest.approx(theirs, abs=MIB)
    reading.close()
    reading.close()


@ON_LINUX
def test_the_high_water_mark_sees_what_is_freed_again_and_begins_anew():
    high = HighWater()
    if not high.resettable:
        pytest.skip("/proc/self/clear_refs cannot be written here")
    high.reset()
    before = Reading.once()

    data = b"x" * (64 * MIB)
    del data
    mark = high.bytes()
    high.reset()

    assert mark >= before + 60 * MIB
    assert (high.bytes() or 0) < before + 30 * MIB
    high.close()


UNDER_A_LARGE_PARENT = """
import subprocess, sys
large = b"x" * (300 << 20)
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
TAKES_AND_GIVES_BACK = """
from perf_panels.memory.process import HighWater, Reading
high = HighWater()
high.reset()
before = Reading.once()
data = b"x" * (64 << 20)
del data
print(high.how if high.resettable else "", ((high.bytes() or 0) - before) >> 20)
high.close()
"""


@ON_LINUX
def test_what_a_parent_had_before_the_program_began_does_not_hide_the_mark():
    command = [sys.executable, "-c", UNDER_A_LARGE_PARENT, TAKES_AND_GIVES_BACK]

    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    if len(said) == 1:
        pytest.skip("/proc/self/clear_refs cannot be written here")
    assert said[0] == "VmHWM"
    assert 60 <= int(said[1]) <= 100


def test_noise_is_a_few_pages():
    assert 16 * mmap.PAGESIZE <= noise_bytes() <= 4 * MIB


def test_collections_are_noted_with_their_pause():
    pauses = Pauses(lambda: 5.0)
    pauses.start()
    gc.collect()
    pauses.stop()
    pauses.stop()
    gc.collect()

    full = [each for each in pauses.collections if each.generation == 2]
    assert len(full) == 1
    assert full[0].pause_ms > 0
    assert full[0].at_ms == 5.0 - full[0].pause_ms


@pytest.fixture
def _connections_stay():
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.mark.usefixtures("_connections_stay")
def test_other_requests_are_counted_while_one_is_measured():
    crowd = Crowd()
    crowd.start()
    already = crowd.counted.requests
    request_started.send(None)
    request_started.send(None)
    request_finished.send(None)
    request_started.send(None)
    crowd.stop()
    request_started.send(None)

    assert crowd.counted.requests == already + 3
    assert crowd.counted.most_at_once == already + 2


def test_work_that_an_earlier_request_left_is_counted_with_the_other_requests():
    begun, over = threading.Event(), threading.Event()
    quiet = Crowd()
    quiet.start()
    quiet.stop()

    worker = threading.Thread(target=afterwards._run, args=((lambda: (begun.set(), over.wait(10)),),))
    worker.start()
    begun.wait(10)
    crowd = Crowd()
    crowd.start()
    crowd.stop()
    over.set()
    worker.join()

    assert crowd.counted.requests == quiet.counted.requests + 1


def test_the_curve_does_not_read_what_the_request_has_given_back():
    def given_back():
        raise OSError("Bad file descriptor")

    sampler = Sampler(given_back, lambda: 0.0)
    sampler.start()
    deadline = time.monotonic() + 10
    while len(sampler.points) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    sampler.stop()

    assert len(sampler.points) >= 3


@pytest.mark.skipif((3, 12) <= sys.version_info < (3, 12, 6), reason="muppy hangs these: python/cpython#122695")
def test_the_census_counts_what_pymplers_muppy_counts(monkeypatch):
    muppy = pytest.importorskip("pympler.muppy")
    # Its own way to find frames would load libraries that wait behind lazy objects.
    monkeypatch.setattr(muppy, "ignore_object", lambda each: type(each) is FrameType)
    # After thousands of other tests there are too many objects for the panel.
    monkeypatch.setattr(objects, "MAX_TRACKED", sys.maxsize)
    ours = objects.census().counts
    theirs = Counter(map(type, muppy.get_objects()))

    for cls in (str, dict, type, tuple):
        assert ours[cls] == pytest.approx(theirs[cls], rel=0.02, abs=50)


@pytest.fixture
def authors(db):
    publishers = Publisher.objects.bulk_create(Publisher(name=f"P {number}") for number in range(3))
    return Author.objects.bulk_create(
        Author(name=f"A {number}", publisher=publishers[number % 3]) for number in range(9)
    )


def counted(load):
    install()
    instances = Instances()
    with counting(instances):
        load()
    assert instances.failure is None
    return {(source.model.__name__, source.how, source.limited): cell.count for source, cell in instances.cells.items()}


def test_instances_of_a_queryset_are_counted(authors):
    assert counted(lambda: list(Author.objects.all())) == {("Author", "queryset", False): 9}


def test_what_select_related_joins_is_counted_row_by_row(authors):
    assert counted(lambda: list(Author.objects.select_related("publisher")[:4])) == {
        ("Author", "queryset", True): 4,
        ("Publisher", "related", True): 4,
    }


def test_a_prefetch_is_counted_as_one(authors):
    found = counted(lambda: list(Author.objects.prefetch_related("publisher")))

    assert found == {("Author", "queryset", False): 9, ("Publisher", "prefetch", False): 3}


def test_rows_that_stream_are_told_apart(authors):
    assert counted(lambda: [each.pk for each in Author.objects.iterator()]) == {("Author", "iterator", False): 9}


def test_what_is_prefetched_for_rows_that_stream_streams_with_them(authors):
    rows = Author.objects.prefetch_related("publisher")

    found = counted(lambda: [each.pk for each in rows.iterator(chunk_size=2)])

    assert {(model, how) for model, how, _ in found} == {("Author", "iterator"), ("Publisher", "iterator")}


def test_of_a_place_that_runs_several_times_the_largest_run_is_known(authors):
    install()
    instances = Instances()
    with counting(instances):
        for rows in (2, 5, 2):
            for _ in Author.objects.filter(pk__in=[each.pk for each in authors[:rows]]).select_related("publisher"):
                pass

    cells = {source.model.__name__: (cell.count, cell.largest) for source, cell in instances.cells.items()}
    assert cells == {"Author": (9, 5), "Publisher": (9, 5)}


def test_what_leads_back_to_the_model_itself_streams_with_it(authors):
    Profile.objects.bulk_create(Profile(author=author) for author in authors)
    profiles = Profile.objects.select_related("author__profile")

    assert counted(lambda: list(profiles.iterator())) == {
        ("Profile", "iterator", False): 18,
        ("Author", "iterator", False): 9,
    }


def test_instances_that_are_gone_when_the_view_is_over_have_a_size(authors):
    counting = objects.Counting()
    counting.start()
    with counting.phase():
        for _ in Author.objects.select_related("publisher"):
            pass
    counting.view_is_over()
    counting.stop()

    sizes = {model.label: model.bytes_each for model in counting.result().models}

    assert sizes["library.Author"] > 200
    assert sizes["library.Publisher"] > 200


def test_nothing_is_counted_outside_of_a_request(authors):
    install()
    instances = Instances()
    with counting(instances):
        pass

    list(Author.objects.all())

    assert instances.cells == {}


def test_another_thread_is_not_counted(authors):
    install()
    instances, loaded, shared = Instances(), [], connections["default"]

    def load():
        connections["default"] = shared
        loaded.extend(Author.objects.all())

    shared.inc_thread_sharing()
    try:
        with counting(instances):
            thread = threading.Thread(target=load)
            thread.start()
            thread.join()
    finally:
        shared.dec_thread_sharing()

    assert len(loaded) == 9
    assert instances.cells == {}


def test_the_place_is_where_the_queryset_was_built(authors):
    install()
    instances = Instances()
    with counting(instances):
        queryset = Author.objects.order_by("name")
        built = sys._getframe().f_lineno - 1
        list(queryset)

    (source,) = instances.cells
    assert (source.built.line, source.evaluated.line) == (built, built + 2)


@pytest.mark.parametrize("copied", [lambda each: pickle.loads(pickle.dumps(each)), copy.deepcopy])
def test_a_queryset_that_is_cached_or_copied_takes_nothing_of_ours_along(copied, authors):
    install()

    # No local class can be pickled, and this one is the place.
    class Authors(ListView):
        model = Author

    instances = Instances()
    with counting(instances):
        queryset = Authors().get_queryset()
        again = copied(queryset)
        rows = list(queryset)

    assert len(rows) == len(again) == 9
    assert [source.built.edit_class for source in instances.cells][-1] is Authors
    assert b"perf_panels." not in pickle.dumps(queryset)


def test_what_the_toolbar_holds_is_measured_without_waking_lazy_objects():
    from django.utils.functional import SimpleLazyObject

    def wake():
        raise AssertionError("woken up")

    held = {"user": SimpleLazyObject(wake), "sql": ["SELECT 1" * 1_000]}

    assert Weighing(set()).bytes([held]) > 8_000


def test_a_long_list_the_toolbar_holds_is_weighed_by_samples():
    shared = "SELECT 1" * 10_000
    held = [{"sql": shared, "params": f"{number:0100}"} for number in range(20_000)]
    real = sys.getsizeof(held) + sys.getsizeof(shared) + 20_000 * (sys.getsizeof(held[0]) + sys.getsizeof(f"{0:0100}"))
    weighing = Weighing(set())

    size = weighing.bytes([held])

    assert size == pytest.approx(real, rel=0.02)
    assert not weighing.cut


def test_templates_may_be_loaded_while_those_there_are_looked_at(monkeypatch):
    cache = {name: Template("", engine=Engine()) for name in "ab"}
    backend = SimpleNamespace(engine=SimpleNamespace(template_loaders=[SimpleNamespace(get_template_cache=cache)]))
    monkeypatch.setattr(kept, "engines", SimpleNamespace(all=lambda: [backend]))
    templates = kept._cached_templates()

    next(templates)
    cache["c"] = cache["a"]

    assert list(templates) == [cache["b"]]


def test_what_is_not_weighed_to_its_end_is_said_to_be_at_least_that(monkeypatch):
    monkeypatch.setattr(kept, "MAX_OBJECTS", 50)
    weighing = Weighing(set())

    weighing.bytes([{number: str(number) for number in range(100)}])

    assert weighing.cut


@pytest.mark.django_db
def test_only_what_the_request_logged_is_counted(settings, django_assert_num_queries):
    from django.db import connection

    connection.force_debug_cursor = True
    try:
        Author.objects.count()
        before = Baseline()
        Author.objects.count()

        entries, size = before._query_log()
    finally:
        connection.force_debug_cursor = False

    assert entries == 1
    assert size > 100
