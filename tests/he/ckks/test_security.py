import pytest

from he.ckks.security import LARGEST_LOG_QP, LEVELS, largest_log_qp, reached


def test_the_table_grows_with_the_ring_and_shrinks_with_the_level() -> None:
    for log_n, row in LARGEST_LOG_QP.items():
        assert list(row) == sorted(row, reverse=True)
        if log_n > 10:
            assert all(
                2 * small <= large for small, large in zip(LARGEST_LOG_QP[log_n - 1], row, strict=True)
            )


@pytest.mark.parametrize(("log_qp", "level"), [(114, 256), (115, 192), (147, 192), (214, 128), (215, 0)])
def test_reached_is_the_highest_level_that_holds(log_qp: int, level: int) -> None:
    assert reached(13, log_qp) == level


def test_the_limits_are_those_of_the_guidelines() -> None:
    assert [largest_log_qp(15, level) for level in LEVELS] == [868, 597, 462]
    with pytest.raises(ValueError, match="security is 80, expected one of"):
        largest_log_qp(15, 80)
    with pytest.raises(ValueError, match="log_n is 18, expected 10 to 17"):
        largest_log_qp(18, 128)
