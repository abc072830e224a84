"""Checks of the contracts of detectors, corruptions and data sets, for other packages to run.

On the command line::

    pytest --pyargs anomalist.testing --detector package.module:Class
    pytest --pyargs anomalist.testing --corruption haze --dataset my_scans

In Python, each check is a function that raises AssertionError: see ``detectors``, ``corruptions``
and ``datasets``.
"""
