# SPDX-License-Identifier: Apache-2.0
"""How the benchmark samples: every variant once a round, in an order drawn anew for each round (in
a fixed or rotating order each would always follow the same one), and ratios within a round, so that
a slow minute counts for both."""
import os
import statistics
import time


def quartiles(values):
    return (
        statistics.quantiles(values, n=4, method="inclusive")
        if len(values) > 1
        else [values[0]] * 3
    )


def work_of_others(seconds=1.0):
    """The share of all processors that is in use while the benchmark waits."""

    def times():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, idle, waiting, *rest = map(int, file.readline().split()[1:9])
        return idle + waiting, user + nice + system + idle + waiting + sum(rest)

    idle, total = times()
    time.sleep(seconds)
    idle_now, total_now = times()
    return 1 - (idle_now - idle) / max(1, total_now - total)


def conditions():
    """Of the machine at the begin of a part; `note` where they speak against its figures."""
    load, others = os.getloadavg()[0], work_of_others()
    busy = others > 0.15
    return {
        "loadavg": round(load, 2),
        "others": round(others, 3),
        "note": f"the machine was busy: {others:.0%} of its processors in use, loadavg {load:.1f}"
        if busy
        else None,
    }


class Rounds:
    """`measures`: name -> function that returns one sample. `before` is called before each, outside
    of what it measures."""

    def __init__(self, measures, count, random, before=lambda: None):
        self.conditions = conditions()
        self.samples = {key: [] for key in measures}
        for _ in range(count):
            for key in random.sample(list(measures), len(measures)):
                before()
                self.samples[key].append(measures[key]())

    def medians(self, *keys):
        return {key: statistics.median(self.samples[key]) for key in keys or self.samples}

    def ratio(self, measured, reference):
        """Quartiles of the ratios within each round; the second is the median."""
        return quartiles([a / b for a, b in zip(self.samples[measured], self.samples[reference])])
