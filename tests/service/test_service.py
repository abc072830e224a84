"""The service as programs use it: answers, limits, dead processes, gone clients, the stop."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from served import TOKEN, Served

import picture_files as files
from anomalist.cli import serve
from anomalist.deployment import load
from anomalist.deployment.scoring import ScoreConfig, score_files
from anomalist.service.config import ServeConfig
from refusals import refused

pytestmark = pytest.mark.slow


def test_an_image_gets_the_row_of_anomalist_score(served, model_folder, normal, spotted, tmp_path):
    for name, data in (("a.png", normal), ("b.png", spotted)):
        (tmp_path / name).write_bytes(data)
    score_files(load(model_folder), [tmp_path], tmp_path / "out", ScoreConfig())
    lines = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    names = lines[0].split(",")
    expected = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    results = served.score(("a.png", normal), ("b.png", spotted)).json()["results"]
    assert [one["file"] for one in results] == ["a.png", "b.png"]
    for own, row in zip(results, expected, strict=True):
        assert own["verdict"] == row["verdict"]
        for name in names[1:]:
            if row[name] and name != "verdict":
                assert own[name] == pytest.approx(float(row[name]), rel=1e-5), name
    assert [one["verdict"] for one in results] == ["normal", "anomalous"]


def test_the_body_itself_may_be_the_image(served, spotted):
    response = served.client.post("/score?name=part.png", content=spotted)
    [result] = response.json()["results"]
    assert result["file"] == "part.png"
    assert result["verdict"] == "anomalous"


def test_a_picture_shows_the_defect_in_orange(served, spotted):
    response = served.client.post("/score", content=spotted, headers={"Accept": "image/png"})
    assert response.headers["content-type"] == "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(response.content)), int)
    assert (pixels[..., 0] - pixels[..., 2]).max() > 80
    two = served.score(("a", spotted), ("b", spotted), headers={"Accept": "image/png"})
    assert two.status_code == 406
    preferred = {"Accept": "application/json, image/png"}
    assert served.client.post("/score", content=spotted, headers=preferred).json()["results"]


def test_small_pictures_are_sent_when_asked_for(served, spotted):
    [result] = served.client.post("/score?pictures=true", content=spotted).json()["results"]
    assert set(result["pictures"]) >= {"input", "map"}
    assert "pictures" not in served.client.post("/score", content=spotted).json()["results"][0]


def test_a_file_that_cannot_be_read_does_not_lose_the_others(served, normal):
    response = served.score(("a.png", normal), ("b.png", b"nothing"))
    good, bad = response.json()["results"]
    assert response.status_code == 200
    assert good["score"] > 0
    assert "not a PNG" in bad["fault"]
    assert served.score(("b.png", b"nothing")).status_code == 422


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x\r\nrubbish", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400),
        (b"abc", "multipart/form-data", 400),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', None, 400),
        (b"GIF89a", "image/gif", 422),
    ],
)
def test_what_is_no_upload_is_refused(served, body, kind, status):
    kind = kind or "multipart/form-data; boundary=x"
    response = served.client.post("/score", content=body, headers={"Content-Type": kind})
    assert response.status_code == status, response.text
    assert response.json()["detail"]


def test_names_of_clients_are_only_repeated(served, normal, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(normal)
    for name in (str(secret), f"../../../..{secret}", "C:\\a\\secret.png", "\x1b[31m.png", ""):
        response = served.client.post("/score", params={"name": name}, content=b"no image")
        assert response.status_code == 422
    response = served.client.post("/score", params={"name": "a/b\x1b/c\n.png"}, content=normal)
    assert response.json()["results"][0]["file"] == "c\\n.png"


def test_the_model_is_described(served, model_folder):
    model = served.client.get("/model").json()
    assert model["detector"] == load(model_folder).description.detector
    assert model["threshold"] == load(model_folder).threshold
    assert all(0 < rate < 1 and 0 < level <= 64 for rate, level in model["levels"])


def test_metrics_count_what_happened(served, spotted):
    before = served.count('anomalist_images_total{result="anomalous"}')
    served.score(("a", spotted), ("b", spotted))
    assert served.count('anomalist_images_total{result="anomalous"}') == before + 2
    assert served.count("anomalist_waiting_images") == 0
    text = served.client.get("/metrics").text
    assert "# HELP anomalist_request_seconds" in text
    assert 'anomalist_requests_total{status="200"}' in text


def test_the_interface_is_described_without_other_servers(served):
    interface = served.client.get("/openapi.json").json()
    assert interface["openapi"].startswith("3.0")
    assert "multipart/form-data" in interface["paths"]["/score"]["post"]["requestBody"]["content"]
    page = served.client.get("/docs").text
    assert "https://" not in page.replace("https://fastapi", "")
    assert served.client.get("/docs/assets/swagger-ui-bundle.js").status_code == 200


def test_a_page_of_another_site_cannot_reach_it_through_its_own_name(served):
    assert served.client.get("/model", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/assets/page.html.j2",
        "/assets/%2e%2e/page.py",
        "/docs/assets/%2e%2e/%2e%2e/__init__.py",
    ],
)
def test_no_other_file_has_an_address(served, path):
    assert served.client.get(path).status_code == 404


def test_images_that_wait_together_are_scored_together(model_folder, normal):
    served = Served(model_folder, "--latency-ms", "400")
    try:
        threads = [threading.Thread(target=served.score, args=(("a", normal),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert served.count("anomalist_batch_images_count") < 4
        assert served.count("anomalist_batch_images_sum") == 6
    finally:
        served.stop()


def test_limits(model_folder, normal):
    options = ("--max-bytes", "4000", "--max-files", "2", "--max-pixels", "600")
    served = Served(model_folder, *options, "--max-seconds", "2")
    try:
        large = b"x" * 5000
        assert served.client.post("/score", content=large).status_code == 413
        pieces = (large[:2500] for _ in range(2))  # no Content-Length
        assert served.client.post("/score", content=pieces).status_code == 413
        three = [("a", normal[:100])] * 3
        assert served.score(*three).status_code == 413
        wide = io.BytesIO()
        Image.fromarray(np.zeros((20, 31), np.uint8)).save(wide, format="PNG")
        response = served.client.post("/score", content=wide.getvalue())
        assert response.status_code == 422
        assert "at most 600" in response.json()["detail"]
        with socket.create_connection(("127.0.0.1", served.port)) as slow:
            head = "POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
            slow.sendall(head.encode())
            slow.settimeout(20)
            assert b" 408 " in slow.recv(1000)
        assert served.score(("a", normal)).status_code == 200
    finally:
        served.stop()


def test_when_the_queue_is_full_the_client_is_told_when_to_come_back(model_folder, normal):
    served = Served(model_folder, "--queue", "2", "--latency-ms", "3000")
    try:
        answers = []

        def send():
            answers.append(served.score(("a", normal)))

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        refusal = served.score(("a", normal))
        assert refusal.status_code == 503
        assert refusal.headers["retry-after"] == "1"
        assert served.client.get("/health").status_code == 503
        for thread in threads:
            thread.join()
        assert [one.status_code for one in answers] == [200, 200]
        assert served.client.get("/health").json() == {"status": "ok"}
        assert served.score(*[("a", normal)] * 3).status_code == 413  # more than ever fit
        assert served.count("anomalist_waiting_images") == 0
    finally:
        served.stop()


def test_a_connection_without_a_request_is_closed(model_folder, normal):
    served = Served(model_folder, "--max-seconds", "1")
    try:
        started = [b"", b"POST /score HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\nHost: "]
        for data in started:
            with socket.create_connection(("127.0.0.1", served.port)) as idle:
                idle.sendall(data)
                idle.settimeout(20)
                assert idle.recv(1000) == b""
        with socket.create_connection(("127.0.0.1", served.port)) as kept:
            kept.settimeout(20)
            kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in kept.recv(1000)
            kept.sendall(b"GET /hea")  # half of a second request
            assert kept.recv(1000) == b""
        with socket.create_connection(("127.0.0.1", served.port)) as large:
            large.settimeout(20)
            large.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 600_000)
            assert b" 431 " in large.recv(1000)
        assert served.score(("a", normal)).status_code == 200
    finally:
        served.stop()


def test_connections_without_end_do_not_use_up_the_files(model_folder):
    """A process may have few files open; the service keeps answering."""
    script = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400));"
    script += "sys.argv[0] = 'anomalist'; runpy.run_module('anomalist', run_name='__main__')"
    served = Served(model_folder, "--max-seconds", "2", script=script)
    idle = []
    try:
        for _ in range(450):
            idle.append(socket.create_connection(("127.0.0.1", served.port)))
        time.sleep(4)
        assert served.client.get("/health").status_code == 200
        assert len(served.lines) < 20
    finally:
        for one in idle:
            one.close()
        served.stop()


def test_dicom_and_fits_are_read_by_their_name(served):
    values = (np.arange(24 * 24).reshape(24, 24) % 251).astype(np.uint8)
    scan = files.dicom(values)
    response = served.client.post("/score", params={"name": "scan.dcm"}, content=scan)
    path = served.score(("scan.dcm", scan))
    assert "intensity" in response.json()["detail"] or response.status_code == 200
    assert path.status_code == response.status_code
    assert "fileno" not in response.text
    wrong = served.client.post("/score", params={"name": "scan.dcm"}, content=b"no scan")
    assert wrong.json()["detail"] == "not a DICOM file"


def test_a_form_that_was_cut_off_is_refused(served, normal):
    request = httpx.Request("POST", served.url, files=[("f", ("a", normal)), ("f", ("b", normal))])
    body = request.read()[:-20]
    headers = {"Content-Type": request.headers["content-type"]}
    response = served.client.post("/score", content=body, headers=headers)
    assert response.status_code == 400
    assert "boundary" in response.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png;q=0", "application/json"),
        ("application/json;q=0.1, image/png;q=0.9", "image/png"),
        ("image/png;q=0.1, application/json", "application/json"),
        ("IMAGE/PNG", "image/png"),
        ("image/png, application/json", "image/png"),
        ("*/*", "application/json"),
    ],
)
def test_the_preferred_kind_of_answer_is_sent(served, normal, accept, kind):
    response = served.client.post("/score", content=normal, headers={"Accept": accept})
    assert response.headers["content-type"] == kind


def test_abandoned_images_are_not_scored(model_folder, normal):
    """Requests that took too long leave no work behind."""
    served = Served(model_folder, "--max-seconds", "0.4", "--latency-ms", "1500")
    try:
        assert served.score(("a", normal)).status_code == 503
        time.sleep(1)
        assert served.count("anomalist_waiting_images") == 0
        before = served.count("anomalist_batch_images_sum")
        time.sleep(1)
        assert served.count("anomalist_batch_images_sum") == before
    finally:
        served.stop()


def test_a_halted_decoder_is_replaced(model_folder, normal):
    served = Served(model_folder, "--decoders", "1", "--max-seconds", "1")
    try:
        served.score(("a", normal))
        [one] = decoders_of(served)
        one.suspend()
        large = normal + b" " * 3_000_000  # more than a pipe holds
        assert served.score(("a", large)).status_code == 422
        assert served.score(("a", normal)).status_code == 200
        assert served.count("anomalist_decoder_deaths") == 1
    finally:
        assert served.stop() == 0


@pytest.mark.parametrize("token", ["short", "é" * 20, "\udcff" * 20, "a" * 20 + "\x07"])
def test_a_token_that_cannot_be_used_is_refused(model_folder, token, monkeypatch):
    monkeypatch.setenv("ANOMALIST_TOKEN", token)
    with refused("ANOMALIST_TOKEN"):
        serve.main([str(model_folder), "--port", "0"])


def test_a_playground_needs_a_run(model_folder):
    with refused("is not a run"):
        serve.main([str(model_folder), "--port", "0", "--playground", str(model_folder)])


def decoders_of(served):
    children = psutil.Process(served.process.pid).children(recursive=True)
    return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


def test_a_dead_decoder_is_replaced(model_folder, normal):
    served = Served(model_folder)
    try:
        served.score(("a", normal))
        for one in decoders_of(served):
            one.send_signal(signal.SIGKILL)
        for _ in range(4):
            assert served.score(("a", normal)).status_code == 200
        assert served.count("anomalist_decoder_deaths") == 2
        assert len(decoders_of(served)) == 2
    finally:
        served.stop()


def test_a_decoder_killed_in_the_middle_is_harmless(model_folder, normal):
    """The processes are halted while they hold a file, and then killed."""
    served = Served(model_folder)
    try:
        served.score(("a", normal))
        for one in decoders_of(served):
            one.suspend()
        answers = []
        send = threading.Thread(target=lambda: answers.append(served.score(("a", normal))))
        send.start()
        time.sleep(0.5)
        assert not answers
        for one in decoders_of(served):
            one.send_signal(signal.SIGKILL)
        send.join()
        assert answers[0].status_code == 200  # another process decoded it again
        assert served.count("anomalist_decoder_deaths") >= 1
    finally:
        served.stop()


def test_a_file_that_crashes_every_decoder_is_refused(monkeypatch, model_folder):
    """A fault of a decoder that ends the process, which no test file of ours does."""
    from anomalist.core.errors import InputError
    from anomalist.service import decoders

    monkeypatch.setattr(decoders, "decode_uploads", crash_on_poison)
    pool = decoders.Decoders(load(model_folder).description.reading, 1, 10**6, 5)
    try:
        with pytest.raises(InputError, match="crashes"):
            pool.decode(b"poison", "a.png")
        assert pool.deaths == 2
        with pytest.raises(InputError, match="more than 5 seconds"):
            pool.decode(b"sleep", "a.png")
        assert pool.deaths == 3
    finally:
        pool.close()


def crash_on_poison(connection, options, max_pixels):
    connection.send_bytes(b"ready")
    connection.recv_bytes()
    if connection.recv_bytes() == b"sleep":
        time.sleep(60)
    os._exit(139)


def test_a_client_that_dies_in_mid_upload_is_harmless(served, normal):
    script = (
        "import socket, sys, time\n"
        f"one = socket.create_connection(('127.0.0.1', {served.port}))\n"
        "head = b'POST /score HTTP/1.1\\r\\nHost: localhost\\r\\n'\n"
        "head += b'Content-Length: 9000\\r\\n\\r\\n'\n"
        "one.sendall(head + b'abc')\n"
        "print('sent', flush=True)\n"
        "time.sleep(60)\n"
    )
    clients = []
    for _ in range(20):
        one = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        clients.append(one)
    for one in clients:
        assert one.stdout.readline()
        one.kill()
        one.wait()
        one.stdout.close()
    end = time.monotonic() + 20
    while served.count("anomalist_waiting_images") and time.monotonic() < end:
        time.sleep(0.05)
    assert served.count("anomalist_waiting_images") == 0
    assert served.score(("a", normal)).status_code == 200


def test_a_graceful_stop_answers_what_was_taken(model_folder, normal):
    served = Served(model_folder, "--latency-ms", "1500")
    answers = []
    send = threading.Thread(target=lambda: answers.append(served.score(("a", normal))))
    send.start()
    time.sleep(0.7)
    served.process.send_signal(signal.SIGTERM)
    send.join()
    assert answers[0].status_code == 200
    assert served.stop() == 0
    assert served.lines[-1] == "stopped: every accepted request is answered"


def test_ctrl_c_stops_too(model_folder):
    served = Served(model_folder)
    assert served.stop(signal.SIGINT) == 0
    assert "Traceback" not in "\n".join(served.lines)


def test_killed_at_once_it_leaves_no_process(model_folder, normal):
    served = Served(model_folder)
    served.score(("a", normal))
    children = decoders_of(served)
    served.stop(signal.SIGKILL)
    psutil.wait_procs(children, timeout=10)
    assert not [one for one in children if one.is_running() and one.status() != "zombie"]


def test_other_machines_need_a_token(model_folder, normal):
    served = Served(model_folder, "--host", "0.0.0.0", token=TOKEN)
    try:
        assert served.score(("a", normal)).status_code == 200
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            served.client.headers.pop("Authorization", None)
            served.client.headers.update(given)
            for path in ("/model", "/metrics"):
                assert served.client.get(path).status_code == 401
            refusal = served.score(("a", normal))
            assert refusal.status_code == 401
            assert TOKEN not in refusal.text
        assert served.client.get("/health").status_code == 200
        assert served.client.get("/").status_code == 200
    finally:
        served.stop()
    assert TOKEN not in "\n".join(served.lines)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "ANOMALIST_TOKEN"),
        (["--host", "999.1.1.1"], "cannot listen"),
        (["--port", "70000"], "port"),
        (["--porf", "1"], "--port"),
        (["--queue", "0"], "queue"),
    ],
)
def test_what_cannot_be_served_is_one_line(model_folder, words, says, monkeypatch):
    monkeypatch.delenv("ANOMALIST_TOKEN", raising=False)
    if words == ["--host", "999.1.1.1"]:
        words = [*words, "--insecure"]
    with refused(says):
        serve.main([str(model_folder), *words])


def test_a_port_in_use_and_a_missing_model_are_one_line(model_folder, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with refused("choose another"):
            serve.main([str(model_folder), "--port", port])
    with refused("not a model"):
        serve.main([str(tmp_path), "--port", "0"])


def test_loopback_addresses():
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert ServeConfig(host=host).is_loopback
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):
        assert not ServeConfig(host=host).is_loopback


def test_print_config_lists_the_limits(model_folder):
    command = [sys.executable, "-m", "anomalist", "serve", str(model_folder), "--print-config"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "max_bytes: 32000000" in done.stdout
