"""The checks of the soak on figures that are made up: nothing is found where nothing grows, and each growth is."""

import ceiling
import pytest
from measures import Life, Verdict

SECONDS = 900
MEMORY = "256MB"
MB = 1 << 20


class Ended:
    pid = 1


def lives():
    """Three processes, one after the other."""
    made = []
    for at in (0, 300, 600):
        life = Life(Ended, at)
        life.samples = [{"at": at + i, "uptime": i, "rss": 180 * MB, "peak": 200 * MB, "threads": 30, "files": 20,
                         "others": 40 + i % 3} for i in range(300)]
        made.append(life)
    return made


def places():
    """A state that is full after a quarter, and a tail of a thousand records."""
    made = []
    for at in range(0, SECONDS, 5):
        size = min(at, SECONDS // 4) * MB
        made.append({"at": at, "state": size, "changelog": 2 * size, "tail": 600 * MB + at % 7 * MB, "journal": at,
                     "transactions": at, "tail_ranges": [(10 * at, 10 * at + 1000)] * 2, "lag": 5})
    return made


def findings(lives, places, disturbances=()):
    return Verdict(lives, places, disturbances, SECONDS, MEMORY).findings


def test_nothing_is_found_where_nothing_grows():
    assert not findings(lives(), places())


def test_memory_of_a_single_sample():
    found = lives()
    found[1].samples[100]["peak"] = int(ceiling.bytes_of(MEMORY) * ceiling.TOLERANCE) + 1
    assert len(findings(found, places())) == 1


def test_memory_that_nothing_comes_near():
    found = lives()
    for life in found:
        for sample in life.samples:
            sample["peak"] = 100 * MB
    assert findings(found, places()) == ["no process had half of its memory"]


def test_a_descriptor_in_ten_seconds():
    found = lives()
    for i, sample in enumerate(found[2].samples):
        sample["others"] += i // 10
    assert any("then" in each for each in findings(found, places()))


def test_descriptors_that_only_the_last_processes_have():
    found = lives()
    for sample in found[2].samples:
        sample["others"] += 10
    assert len(findings(found, places())) == 1
    # Who takes partitions over has more while it does.
    assert not any("descriptors" in each for each in findings(found, places(), [(600, 900)]))


def test_no_life_to_look_at():
    assert "no process lived long enough to compare its descriptors" in findings(lives(), places(), [(0, SECONDS)])


@pytest.mark.parametrize("name", ["state", "tail", "changelog"])
def test_bytes_that_grow(name):
    found = places()
    for sample in found:
        sample[name] += 4 * sample["at"] * MB
    assert [each.split(",")[0] for each in findings(lives(), found)] == [name]


@pytest.mark.parametrize("name", ["state", "tail", "changelog"])
def test_bytes_that_were_not_found(name):
    """Of a topic that is called otherwise."""
    found = places()
    for sample in found:
        sample[name] = 0
    assert [each.split(",")[0] for each in findings(lives(), found)] == [name]


def with_a_compaction(state):
    found = places()
    found[-20]["state"] = state
    return findings(lives(), found)


def test_a_compaction_of_the_local_state():
    assert not with_a_compaction(2 * SECONDS // 4 * MB)
    assert [each[:18] for each in with_a_compaction(3 * SECONDS // 4 * MB)] == ["the local disk had"]


def with_a_fault(tail, longer_for_s):
    """In the last third of a calm run a fault, after which the tail is longer for a while."""
    found, begin, end = places(), 700, 715
    for sample in found:
        if begin <= sample["at"] <= end + longer_for_s:
            sample["tail"] = tail
    return findings(lives(), found, [(begin, end)])


def test_a_tail_that_is_longer_until_a_fault_is_over():
    assert not with_a_fault(1200 * MB, longer_for_s=40)
    assert [each[:12] for each in with_a_fault(2000 * MB, longer_for_s=40)] == ["the tail had"]
    assert [each.split(",")[0] for each in with_a_fault(1200 * MB, longer_for_s=60)] == ["tail"]


def test_a_partition_of_the_tail_that_is_not_trimmed():
    found = places()
    for sample in found:
        sample["tail_ranges"] = [sample["tail_ranges"][0], (0, 1000)]
    assert sum("was not trimmed" in each for each in findings(lives(), found)) == 3


def test_records_of_the_tail_that_stay():
    found = places()
    for sample in found:
        sample["tail_ranges"] = [(low // 2, high) for low, high in sample["tail_ranges"]]
    assert [each.split("there were")[0] for each in findings(lives(), found)] == ["of 19900 records of the tail "]
