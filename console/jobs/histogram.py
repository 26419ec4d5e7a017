"""Durations as histograms that can be added up: minutes to hours, queues to a total, and percentiles of the sum.

Buckets grow by a constant factor, as in DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile
sketch with relative-error guarantees", VLDB 2019): a percentile is wrong by at most `ERROR`, however many are added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil, log

ERROR = 0.02
"""Greatest relative error of a percentile."""
_GROWTH = (1 + ERROR) / (1 - ERROR)
_PER_BUCKET = 1 / log(_GROWTH)

Histogram = Counter[int]
"""Bucket → how many. Bucket 0 holds 0 ms; bucket n the durations in (growth^(n-2), growth^(n-1)] ms."""


def bucket_of(duration_ms: int) -> int:
    """The bucket of a duration in milliseconds; negative ones count as 0."""
    return 0 if duration_ms < 1 else ceil(log(duration_ms) * _PER_BUCKET) + 1


def duration_of(bucket: int) -> float:
    """The duration in milliseconds that stands for all of a bucket, within `ERROR` of each."""
    return 0.0 if bucket == 0 else 2 * _GROWTH ** (bucket - 1) / (_GROWTH + 1)


def percentile(histogram: Histogram, share: float) -> float | None:
    """The duration in milliseconds that a share (0…1) of them does not exceed; None when there are none."""
    rank = share * (histogram.total() - 1)
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen > rank:
            return duration_of(bucket)
    return None


def dump(histogram: Histogram) -> str | None:
    """As it is stored: "bucket:count bucket:count"; None when it is empty."""
    return " ".join([f"{bucket}:{n}" for bucket, n in sorted(histogram.items())]) or None


def load(text: str | None) -> Histogram:
    """The opposite of `dump`."""
    pairs = (pair.split(":") for pair in text.split()) if text else ()
    return Counter({int(bucket): int(n) for bucket, n in pairs})


def merged(texts: Iterable[str | None]) -> Histogram:
    """The sum of stored histograms."""
    total: Histogram = Counter()
    for text in texts:
        total.update(load(text))
    return total
