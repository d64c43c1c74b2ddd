from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from perf_panels.memory.treemap import HEIGHT, LEAVES, WIDTH, Box, Leaf, fitting, layout, shortened, squarified


def area(box):
    return box.width * box.height


def overlap(one, other):
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


def random_sizes(count):
    random = Random(count)
    return sorted((random.paretovariate(1) for _ in range(count)), reverse=True)


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_areas_are_the_sizes_and_fill_the_box_without_overlap(count):
    sizes, box = random_sizes(count), Box(10.0, 20.0, 300.0, 100.0)

    boxes = squarified(sizes, box)

    for size, made in zip(sizes, boxes, strict=True):
        assert area(made) == pytest.approx(area(box) * size / sum(sizes))
        assert overlap(made, box) == pytest.approx(area(made))
    assert all(overlap(one, other) < 1e-6 for one, other in combinations(boxes, 2))


def test_the_published_example_is_laid_out_as_published():
    # Bruls, Huizing and van Wijk: sizes 6 6 4 3 2 2 1 in a box of 6 x 4.
    boxes = squarified([6, 6, 4, 3, 2, 2, 1], Box(0.0, 0.0, 6.0, 4.0))

    assert [(round(box.width, 2), round(box.height, 2)) for box in boxes[:4]] == [
        (3.0, 2.0),
        (3.0, 2.0),
        (1.71, 2.33),
        (1.29, 2.33),
    ]


@pytest.mark.parametrize("box", [Box(0, 0, 0, 10), Box(0, 0, 10, 0)])
def test_no_room_is_no_error(box):
    assert [area(each) for each in squarified([3, 2], box)] == [0, 0]


def test_owners_hold_their_files_and_these_their_lines():
    owners = layout([Leaf("project", "a.py", 1, 60), Leaf("project", "a.py", 2, 20), Leaf("django", "b.py", 3, 20)])

    assert [(owner["owner"], owner["size"]) for owner in owners] == [("project", 80), ("django", 20)]
    (file,) = owners[0]["files"]
    assert [leaf.line for leaf, _box in file["lines"]] == [1, 2]
    for _leaf, box in file["lines"]:
        assert overlap(box, owners[0]["box"]) == pytest.approx(area(box))


def test_of_very_many_lines_the_small_ones_are_one_rectangle():
    leaves = [Leaf("project", f"{place}.py", place, 1_000 - place) for place in range(500)]

    (owner,) = layout(leaves)

    assert len(owner["files"]) == LEAVES + 1
    assert owner["size"] == sum(leaf.size for leaf in leaves)
    assert area(owner["box"]) == WIDTH * HEIGHT


def test_a_path_is_cut_at_its_beginning_or_left_out():
    assert shortened(Box(0, 0, 500, 20), "shop/reports.py") == "shop/reports.py"
    assert shortened(Box(0, 0, 70, 20), "shop/reports.py") == "…ports.py"
    assert shortened(Box(0, 0, 20, 20), "shop/reports.py") == ""
    assert shortened(Box(0, 0, 500, 5), "shop/reports.py") == ""


def test_of_several_texts_the_first_that_fits_is_shown():
    assert fitting(Box(0, 0, 70, 20), "41 60.0 MiB", "41") == "41"
    assert fitting(Box(0, 0, 10, 20), "41") == ""
