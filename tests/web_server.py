"""A local web server for tests of fetching, which may misbehave in every way."""

import http.server
import threading


class Server:
    """A local web server whose every path may misbehave: ``how[path]`` is what is done with the
    request."""

    def __init__(self):
        self.how, self.asked, self.closing = {}, [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.how.get(self.path, outer.missing)(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.server.server_port}/"

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def missing(self, request):
        request.send_error(404)

    def silent(self, request):
        self.closing.wait(30)

    def refusing(self, request):
        request.send_error(403)

    def file(self, content, length=None):
        def answer(request):
            request.send_response(200)
            request.send_header("Content-Length", str(length or len(content)))
            request.end_headers()
            request.wfile.write(content)

        return answer

    def trickle(self, request):
        """Answer a byte at a time, always sooner than a read's time-out."""
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        try:
            while not self.closing.wait(0.05):
                request.wfile.write(b".")
        except OSError:
            pass  # the client has gone
