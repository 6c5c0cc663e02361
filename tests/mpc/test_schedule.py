"""Foreseeing what a program asks the dealer for: numbers agree at all parties, and none is used twice."""

from hypothesis import given
from hypothesis import strategies as st

from mpc.dealer.schedule import AHEAD_TUPLES, AHEAD_WORDS, CONTEXT, Schedule
from mpc.dealer.tuples import Request

KINDS = [Request("square", ((n,),)) for n in range(1, 5)]
LOOP = [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 1, 1, 2]


def run(places: list[int]) -> tuple[list[int], list[bool], Schedule]:
    schedule = Schedule()
    taken = [schedule.take(KINDS[place]) for place in places]
    return [one.use.number for one in taken], [one.foreseen for one in taken], schedule


def test_a_loop_is_foreseen_once_it_has_come_round() -> None:
    _, foreseen, _ = run(LOOP * 20)
    first = CONTEXT + len(LOOP) + 1
    assert not any(foreseen[:CONTEXT])
    assert all(foreseen[first:])


def test_two_loops_one_after_the_other_and_back() -> None:
    other = [3, 3, 2, 0, 0]
    _, foreseen, _ = run(LOOP * 20 + other * 30 + LOOP * 20)
    # After the change back the old places are still remembered; only the seams surprise.
    assert sum(not one for one in foreseen) < 3 * (CONTEXT + len(LOOP)) + CONTEXT


@given(st.lists(st.integers(0, 3), max_size=300), st.integers(1, 4))
def test_any_sequence_gets_numbers_that_count_up_and_serve_what_was_asked(
    places: list[int], times: int
) -> None:
    schedule = Schedule()
    ordered: list[int] = []
    waiting: list[int] = []
    used: list[int] = []
    for place in places * times:
        taken = schedule.take(KINDS[place])
        assert taken.use.request == KINDS[place]
        ordered += [one.number for one in taken.order]
        waiting += [one.number for one in taken.order]
        # Corrections arrive in the order of the numbers: first those not wanted, then the one in use.
        for one in (*taken.unwanted, taken.use):
            assert waiting.pop(0) == one.number
        used.append(taken.use.number)
    assert ordered == list(range(len(ordered)))
    assert used == sorted(set(used))
    assert [one.number for one in schedule.outstanding()] == waiting


@given(st.lists(st.integers(0, 3), max_size=200))
def test_two_parties_number_alike(places: list[int]) -> None:
    assert run(places)[0] == run(places)[0]


def test_what_is_ordered_ahead_is_bounded() -> None:
    _, _, schedule = run([0, 1] * 600)
    assert len(schedule.outstanding()) <= AHEAD_TUPLES
    large = Request("square", ((AHEAD_WORDS // 3,),))
    schedule = Schedule()
    for _ in range(100):
        schedule.take(large)
    assert len(schedule.outstanding()) == 3


@given(st.lists(st.integers(0, 3), max_size=200), st.lists(st.integers(0, 3), max_size=60))
def test_a_schedule_read_back_goes_on_alike(before: list[int], after: list[int]) -> None:
    _, _, schedule = run(before)
    again = Schedule.from_bytes(schedule.to_bytes())
    assert again.outstanding() == schedule.outstanding()
    for place in after:
        assert again.take(KINDS[place]) == schedule.take(KINDS[place])
    assert again.to_bytes() == schedule.to_bytes()
