"""Suites, one file each: named, versioned lists of tasks for `anomalist benchmark`; the file's name is the suite's."""
