"""The page of the service in a real browser: drop, paste, sliders, history, token, playground."""

import base64

import pytest
from served import TOKEN, Served

from anomalist.baseline import Baseline, job
from browser import Browser

pytestmark = pytest.mark.slow

# Drop or paste files, as a browser tells a page; arguments: kind of event, [[name, base64], ...].
SEND = """
const [kind, files] = arguments, transfer = new DataTransfer();
for (const [name, data] of files) {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
}
const event = kind === "drop"
  ? new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer })
  : new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer });
document.getElementById("drop").dispatchEvent(event);
"""
MASK = "document.querySelector('#results canvas[aria-label=\"predicted mask\"]').dataset.marked"


@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = Baseline(
        train=1_000,
        calibration=200,
        test=100,
        corruptions=("stripes:lines=2",),
        model={"name": "autoencoder", "epochs": 5, "width": 8, "batch_size": 16},
    )
    job.run(config, folder)
    return folder


@pytest.fixture(scope="module")
def playing(run_folder):
    one = Served(run_folder)
    yield one
    one.stop()


def send(browser, kind, *files):
    coded = [[name, base64.b64encode(data).decode("ascii")] for name, data in files]
    browser.js(SEND, kind, coded)


def shown(browser, count):
    browser.wait(f"document.querySelectorAll('#results > li').length === {count}")
    return browser.js(
        "return [...document.querySelectorAll('#results > li')].map(li => li.textContent)"
    )


def ready(browser, served):
    browser.open(served.url)
    browser.wait("session.model && document.getElementById('rate-text').textContent")


def test_dropped_and_pasted_images_are_scored_and_stay(browser, served, normal, spotted):
    ready(browser, served)
    send(browser, "drop", ("good.png", normal), ("bad.png", spotted))
    lines = shown(browser, 2)
    assert any("○ normal good.png: score" in line for line in lines)
    assert any("▲ anomalous bad.png: score" in line for line in lines)
    send(browser, "paste", ("pasted.png", spotted))
    lines = shown(browser, 3)
    assert "pasted.png" in lines[0]  # the newest comes first
    browser.js("document.getElementById('clear').click()")
    assert shown(browser, 0) == []
    assert not browser.errors()


def test_what_is_no_image_says_why(browser, served):
    ready(browser, served)
    send(browser, "drop", ("<b>notes</b>.png", b"nothing"))
    [line] = shown(browser, 1)
    assert "cannot be read <b>notes</b>.png: not a PNG" in line
    assert not browser.js("return document.querySelector('#results b')")
    browser.errors()  # the browser reports the status 422


def test_the_slider_changes_verdict_and_mask(browser, served, spotted):
    ready(browser, served)
    send(browser, "drop", ("bad.png", spotted))
    shown(browser, 1)
    marked = int(browser.wait(f"{MASK} > 0 && {MASK}"))
    assert "▲ anomalous" in browser.text("#results")
    browser.set("#rate", 0)  # half of all normal images
    assert int(browser.wait(f"{MASK} > {marked} && {MASK}")) > marked
    last = browser.js("return document.getElementById('rate').max")
    browser.set("#rate", last)
    browser.wait(f"{MASK} <= {marked}")


def test_a_good_image_is_anomalous_at_a_rate_of_a_half_or_not_at_one_percent(
    browser, served, normal
):
    ready(browser, served)
    send(browser, "drop", ("good.png", normal))
    shown(browser, 1)
    p = browser.js("return session.items[0].result.p_value")
    for place in (0, 20, 40, 60):
        browser.set("#rate", place)
        rate = browser.js("return rateNow()")
        assert ("▲ anomalous" in browser.text("#results")) == (p <= rate)


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_and_no_wider_than_the_window(browser, playing, width, scheme):
    browser.open(playing.url, width, 900, scheme)
    browser.wait("play.shown")
    assert browser.js("return document.documentElement.scrollWidth") <= width
    assert browser.violations() == []


def test_the_token_is_asked_for(browser, model_folder, spotted):
    served = Served(model_folder, token=TOKEN)
    try:
        browser.open(served.url)
        browser.wait("document.getElementById('model').textContent.includes('token')")
        browser.set("#token", TOKEN)
        browser.js("document.getElementById('token-form').requestSubmit()")
        browser.wait("session.model")
        send(browser, "drop", ("bad.png", spotted))
        assert "▲ anomalous" in shown(browser, 1)[0]
    finally:
        served.stop()
        browser.errors()  # the browser reports the status 401


def test_the_camera_takes_a_picture(browser, served):
    """The camera is a canvas here; the rest is the page's own way."""
    ready(browser, served)
    browser.js(
        """const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 48;
        const context = canvas.getContext("2d");
        setInterval(() => context.fillRect(0, 0, 48, 48), 20);
        navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(30);
        document.getElementById("camera").click();"""
    )
    browser.wait("!document.getElementById('camera-box').hidden && byId('video').videoWidth")
    browser.js("document.getElementById('shoot').click()")
    [line] = shown(browser, 1)
    assert "camera" in line
    assert "48 x 48 pixels" in line


def test_the_playground_shows_what_a_corruption_does(browser, playing):
    browser.open(playing.url)
    browser.wait("play.shown")
    browser.set("#play-corruption", "stripes")
    browser.wait("!play.busy && play.seen.length === 1")
    clean = browser.js("return play.shown.score")
    browser.set("#severity", 0.6)
    browser.wait("!play.busy && play.shown.changed > 0")
    assert browser.js("return play.shown.score") > clean
    assert browser.js("return play.shown.truth")
    assert browser.js("return document.querySelectorAll('#trace circle').length") == 2
    browser.wait("[...document.querySelectorAll('#play-panels canvas')].at(-1).dataset.marked > 0")
    assert not browser.errors()


def test_the_interface_is_drawn_without_another_server(browser, served):
    browser.open(f"{served.url}/docs")
    browser.wait("document.body.textContent.includes('/score')")
    names = browser.js("return performance.getEntriesByType('resource').map(one => one.name)")
    assert names
    assert all(name.startswith((served.url, "data:")) for name in names)


def test_playground_addresses_refuse_what_is_not_there(playing):
    for query in (
        "kind=7&corruption=nothing",
        "kind=x&corruption=stripes",
        "kind=7&corruption=stripes&number=99",
    ):
        assert playing.client.get(f"/playground/image?{query}").status_code == 404
    bad = playing.client.get("/playground/image?kind=7&corruption=stripes&severity=2")
    assert bad.status_code == 422
