"""The data set folder among hundreds of malformed files: a line each, no crash, no hang, little
memory."""

import json
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import anomalist
import picture_files as files

pytestmark = pytest.mark.slow

SECONDS, BYTES = 300, 600e6
LOAD = """
import json, sys
from anomalist.datasets import parse
if __name__ == "__main__":
    options = {"resize": 32, "max_broken_share": 1, "intensity": "0;65535"}
    dataset = parse({"name": "folder", "path": sys.argv[1], **options}).load()
    test = dataset.test
    facts = [
        dataset.train.images.shape,
        test.images.shape,
        test.class_index.tolist(),
        dataset.provenance,
        test.masks.sum(axis=(1, 2)).tolist(),
        float(dataset.train.to_float().max()),
    ]
    print(json.dumps(facts))
"""
ODD_NAMES = [
    "new\nline.png",
    "\x1b[31mred.png",
    "tab\t.png",
    "größe 図.png",
    "right\u202eleft.png",
    "a\udcff.png",
    "%s{}.png",
]


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def special(folder):
    """Make what is no regular file; return the names."""
    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(folder)  # a socket's path may only be short
        made.bind("socket.png")
    (folder / "folder.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "circle").symlink_to(folder)
    (folder / "nowhere.png").symlink_to("not there")
    (folder / "out.png").symlink_to("/etc/hostname")
    (folder / "device.png").symlink_to("/dev/zero")
    names = [
        "pipe.png",
        "socket.png",
        "folder.png",
        "loop.png",
        "circle",
        "nowhere.png",
        "out.png",
        "device.png",
    ]
    if os.geteuid() != 0:  # root reads everything
        put(folder / "secret.png", b"")
        (folder / "secret.png").chmod(0)
        names.append("secret.png")
    return names


def with_masks(root):
    """Make images with masks of every kind; return the names of those whose mask is wrong."""
    image = files.saved(Image.fromarray(files.noise((40, 48))), "PNG")
    marked = np.zeros((40, 48), np.uint8)
    marked[10:30, 10:40] = 200
    masks = {
        "right": files.saved(Image.fromarray(marked), "PNG"),
        "size": files.saved(Image.fromarray(marked[:, :-1]), "PNG"),
        "turned": files.saved(Image.fromarray(marked.T), "PNG"),
        "blank": files.saved(Image.fromarray(marked * 0), "PNG"),
        "ones": files.saved(Image.fromarray(marked // 200), "PNG"),
        "cut": files.saved(Image.fromarray(marked), "PNG")[:60],
        "empty": b"",
    }
    for name, mask in masks.items():
        put(root / "test" / "dent" / f"{name}.png", image)
        put(root / "ground_truth" / "dent" / f"{name}_mask.png", mask)
    put(root / "test" / "dent" / "missing.png", image)
    return [
        f"test/dent/{name}.png" for name in [*masks, "missing"] if name not in ("right", "ones")
    ]


def snapshot(root):
    return {
        (folder, name): [
            Path(folder, name).lstat()[place] for place in (0, 6, 8)
        ]  # mode, size, time of change
        for folder, folders, names in os.walk(root)
        for name in folders + names
    }


def watch(command, folder, data):
    """Run ``command``; return its output, its errors and the most memory that it and its children
    held."""
    environment = {
        **os.environ,
        "ANOMALIST_DATA": str(data),
        "PYTHONPATH": str(Path(anomalist.__file__).parents[1]),
    }
    with (
        (folder / "out").open("w+") as out,
        (folder / "err").open("w+", errors="surrogateescape") as err,
    ):
        process = psutil.Popen(command, stdout=out, stderr=err, env=environment, cwd=folder / "cwd")
        began, most = time.monotonic(), 0
        while process.poll() is None:
            assert time.monotonic() - began < SECONDS, process.kill()
            try:
                family = [process, *process.children(recursive=True)]
                most = max(most, sum(each.memory_info().rss for each in family))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.02)
        err.seek(0)
        out.seek(0)
        assert process.returncode == 0, err.read()
        return out.read(), err.read(), most


def test_hundreds_of_malformed_files_are_named_and_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root, data = tmp_path / "parts", tmp_path / "cache"
    (tmp_path / "cwd").mkdir()
    for name, content in files.whole().items():
        put(root / "train" / "good" / name, content)
    for name in ODD_NAMES:
        put(root / "train" / "good" / name, files.whole()["rgb.png"])
        put(root / "test" / "good" / name, b"broken")
    broken = {f"test/good/{name}" for name in ODD_NAMES}
    for make in (files.cut_short, files.mistaken, files.bombs, files.odd):
        for name, content in make():
            put(root / "test" / "good" / name, content)
            broken.add(f"test/good/{name}")
    flipped = dict(files.flipped())
    for name, content in flipped.items():
        put(root / "test" / "flipped" / name, content)
        put(root / "ground_truth" / "flipped" / f"{Path(name).stem}.png", files.whole()["one.png"])
    broken |= {f"test/good/special/{name}" for name in special(root / "test" / "good" / "special")}
    broken |= set(with_masks(root))
    assert len(broken) >= 300
    before = snapshot(root)

    out, err, most = watch([sys.executable, "-c", LOAD, str(root)], tmp_path, data)

    train, test, labels, source, marked, brightest = json.loads(out)
    lines = Path(source.partition("decoded in ")[2], "broken.txt").read_text().splitlines()
    named = {line.partition(": ")[0] for line in lines}
    escaped = {"".join(c if c.isprintable() else ascii(c)[1:-1] for c in name) for name in broken}
    assert escaped <= named
    assert {name for name in named - escaped if not name.startswith("test/flipped/")} == set()
    assert len(lines) == len(named)
    assert all(
        len(line) > len(line.partition(": ")[0]) + 8 and line.isprintable() for line in lines
    )
    assert train[0] == len(files.whole()) + len(ODD_NAMES)
    assert test[0] == len(labels) == len(broken) + len(flipped) + 2 - len(lines)
    assert labels.count(1) == 2  # of the dents, those with a right mask
    assert marked[labels.index(1)] == pytest.approx(20 * 30 * (32 * 32) / (40 * 48), rel=0.1)
    assert 0 < brightest <= 1
    assert "Traceback" not in err
    assert all(line.isprintable() for line in err.splitlines())
    assert f"and {len(lines) - 20:,} more" in err
    assert most < BYTES, f"{most / 1e6:.0f} MB"
    assert snapshot(root) == before
    assert list((tmp_path / "cwd").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache",
        "cwd",
        "err",
        "out",
        "parts",
    ]
    print(f"{len(broken)} malformed files, {most / 1e6:.0f} MB")
