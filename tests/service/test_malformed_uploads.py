"""Hundreds of malformed uploads: an answer of 4xx each, no crash, and no more memory."""

import psutil
import pytest
from served import Served

import picture_files as files

pytestmark = pytest.mark.slow

GROWTH = 60e6  # bytes
REPEATED = 40  # of the first uploads; with all scans they load what is loaded once


def malformed():
    for make in (files.cut_short, files.mistaken, files.bombs, files.odd):
        yield from make()
    whole = files.whole()["rgb.png"]
    for cut in range(0, len(whole) - 100, len(whole) // 200):
        yield f"cut{cut}.png", whole[:cut]
    for number in range(60):
        yield f"bytes{number}.jpg", bytes([255, 216, 255, number]) * (number + 1)


def memory_of(served):
    family = psutil.Process(served.process.pid)
    return sum(one.memory_info().rss for one in [family, *family.children(recursive=True)])


def test_each_gets_an_answer_of_4xx(model_folder, normal):
    served = Served(model_folder, "--max-seconds", "20")
    try:
        uploads = list(malformed())
        assert len(uploads) >= 500
        scans = [one for one in uploads if one[0].endswith((".dcm", ".fits"))]
        for name, data in uploads[:REPEATED] + scans:
            served.score((name, data))
        before = memory_of(served)
        wrong = []
        for number, (name, data) in enumerate(uploads):
            if number % 2:
                response = served.score((name, data))
            else:
                response = served.client.post("/score", params={"name": name}, content=data)
            if not 400 <= response.status_code < 500:
                wrong.append((name, response.status_code))
        assert wrong == []
        assert memory_of(served) - before < GROWTH
        assert served.score(("a.png", normal)).status_code == 200
        assert served.process.poll() is None
    finally:
        assert served.stop() == 0
    assert "Traceback" not in "\n".join(served.lines)
