"""Suites, one file each: named, versioned lists of tasks for ``anomalist benchmark``."""

from anomalist.suites._base import FALSE_ALARM_RATE, Suite, load

__all__ = ["FALSE_ALARM_RATE", "Suite", "load"]
