#!/usr/bin/env python3
"""The Python peers of `mp-bench sizes`. Speaks the protocol of the bench harness: `list`, `sizes`, BENCH_QUICK.

A call does what `spin` and `sum` of `mp-bench` do; keep the counts and sizes equal to those of tests/src/bin/mp-bench/sizes.rs.
"""
import multiprocessing
import os
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor

TIMES = (0, 1, 10, 100, 1000, 10_000)
LENGTHS = tuple(8 << 3 * power for power in range(8)) + (64 << 20,)


def spin(us):
    if us:
        end = time.perf_counter() + us * 1e-6
        while time.perf_counter() < end:
            pass


def total(data):
    """A sum of the bytes at the speed of C: Python's own loop would take longer than to send them."""
    return zlib.adler32(data)


def scaled(count):
    return max(count // (20 if "BENCH_QUICK" in os.environ else 1), 2)


def emit(metric, variant, value, unit):
    print(f"{metric}/{variant} {value:.5f} {unit}", flush=True)


def median_us(count, call):
    """The median of `count` calls, or of as many as five seconds allow."""
    for _ in range(min(count // 20 + 2, 20)):
        call()
    samples, end = [], time.perf_counter() + 5
    while len(samples) < count and (len(samples) < 3 or time.perf_counter() < end):
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e6)
    return sorted(samples)[len(samples) // 2]


def latencies(variant, call):
    for us in TIMES:
        count = scaled(600_000 // (max(us, 1) + 100))
        emit(f"work.latency.{us}us", variant, median_us(count, lambda: call(us)), "us")


def rates(variant, run):
    """Calls per second of many. A peer that needs longer for one gets fewer."""
    for us in TIMES:
        start = time.perf_counter()
        run([us] * 100)
        each = (time.perf_counter() - start) / 100
        tasks = max(min(scaled(2_000_000 // (us + 2)), int(2 / each)), 100)
        start = time.perf_counter()
        run([us] * tasks)
        emit(f"work.rate.{us}us", variant, tasks / (time.perf_counter() - start), "tasks/s")


def weights(variant, call):
    for length in LENGTHS:
        data = b"\7" * length
        count = min(scaled((400 << 20) // (length + (100 << 10))), 4000)
        expected = total(data)

        def once():
            assert call(data) == expected

        emit(f"weight.latency.{length}B", variant, median_us(count, once), "us")


def sizes():
    with multiprocessing.Pool(1) as one, multiprocessing.Pool(2) as two:
        latencies("py-pool", lambda us: one.apply(spin, (us,)))
        rates("py-pool", lambda items: two.map(spin, items))
        weights("py-pool", lambda data: one.apply(total, (data,)))
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        latencies("py-executor", lambda us: one.submit(spin, us).result())
        rates("py-executor", lambda items: list(two.map(spin, items)))


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        print("sizes")
    elif sys.argv[1:] == ["sizes"]:
        sizes()
    else:
        sys.exit(f"expected list or sizes, and not {sys.argv[1:]}")
