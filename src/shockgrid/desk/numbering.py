"""The numbers of a sequence of updates: which was the last, and which have not come."""

from __future__ import annotations

from typing import Any, NamedTuple

from shockgrid.doors import refused, whole_number

MOST_GAPS = 1_000  #: that are remembered; an update out of an older one still counts as missing

LARGEST = 2**63 - 1


class Numbers(NamedTuple):
    """What is known of the numbers of the updates so far."""

    last: int = 0  #: the highest that has come
    gaps: int = 0  #: numbers below it that have not
    missing: tuple[range, ...] = ()  #: those numbers

    def and_one(self, number: int) -> Numbers:
        """With an update of this number, which is not missing any more where it was.

        >>> Numbers().and_one(1).and_one(5).and_one(3)
        Numbers(last=5, gaps=2, missing=(range(2, 3), range(4, 5)))
        """
        if number > self.last:
            between = range(self.last + 1, number)
            missing = (*self.missing, between)[-MOST_GAPS:] if between else self.missing
            return Numbers(number, self.gaps + len(between), missing)
        for place, gap in enumerate(self.missing):
            if number in gap:
                parts = (range(gap.start, number), range(number + 1, gap.stop))
                kept = (*self.missing[:place], *filter(len, parts), *self.missing[place + 1 :])
                return Numbers(self.last, self.gaps - 1, kept)
        return self


def sequence_number(given: Any, last: int) -> int:
    """The number of an update, the one after the last where none is given.

    Raises InputError where it is no whole number from 0 to what fits 64 bits.
    """
    number = last + 1 if given is None else whole_number(given, "sequence", least=0)
    if number > LARGEST:
        expected = f"a whole number of at most {LARGEST}"
        raise refused(expected, "sequence", number)
    return number
