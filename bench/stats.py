"""The arithmetic of the benchmark. Pure functions."""

import math
import statistics


def order_of_rounds(contenders, rounds):
    """A B C, C B A, A B C, ...: whatever drifts meanwhile meets each of them alike."""
    return [list(contenders) if number % 2 == 0 else list(contenders)[::-1] for number in range(rounds)]


def percentile(values, percent):
    """The smallest of the values that `percent` of them do not exceed."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratios(values, baseline):
    """Round by round: a round in which the machine was slow was so for both."""
    if len(values) != len(baseline):
        raise ValueError(f"{len(values)} rounds against {len(baseline)}")
    return [value / base for value, base in zip(values, baseline)]


def spread(values):
    """(median, least, greatest)"""
    return statistics.median(values), min(values), max(values)


def rounds_below(values, others):
    """In how many rounds the value was less than the other's."""
    return sum(value < other for value, other in zip(values, others))
