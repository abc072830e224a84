"""The service: a model that scores uploads over HTTP, and a page that a person can use.

``running.serve`` is ``anomalist serve``; ``app.make_app`` returns the application for a server of
your own.
"""
