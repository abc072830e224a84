"""Protocols: what detectors were measured on, and which detector suits which case."""

from __future__ import annotations

BLIND_SPOT = {  # the corruptions of the study, in the order of the tables
    "gaussian_noise:sigma=0.3": "noise 0.3",
    "gaussian_noise:sigma=0.1": "noise 0.1",
    "gaussian_noise:sigma=0.05": "noise 0.05",
    "pixel_dropout:probability=0.3": "dropped 30 %",
    "pixel_dropout:probability=0.1": "dropped 10 %",
    "pixel_dropout:probability=0.05": "dropped 5 %",
    "stripes:lines=1": "white line",
    "stripes:lines=1,value=black": "black line",
    "patch_occlusion:side=8,margin=4": "hole 8",
    "patch_occlusion:side=5,margin=4": "hole 5",
    "patch_occlusion:side=4,margin=4": "hole 4",
}
HOLE = "patch_occlusion:side=8,margin=4"
DIGITS = {f"digit {digit}": str(digit) for digit in range(10)}

# Title, file and tasks of each protocol; a task's label follows the title.
PROTOCOLS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("[one class](results/one_class.md)", "one_class", {", mean of ten digits": "mean"}),
    (
        "[blind spot](results/blind_spot.md)",
        "blind_spot",
        {
            ", mean of eleven corruptions": "mean",
            ", 8 x 8 hole": HOLE,
        },
    ),
    (
        "[known anomalies](results/labelled.md)",
        "labelled",
        {
            ", 1 % known": "1 % known: mean",
            ", 5 % known, 10 % unlabelled": "5 % known, 10 % unlabelled: mean",
        },
    ),
    ("[magnetic tiles](results/tiles.md)", "tiles", {"": "both"}),
    ("[chest X-rays](results/xrays.md)", "xrays", {"": "pneumonia"}),
)

IMAGES = {  # that a detector is trained on
    "one_class": "5,500",
    "blind_spot": "54,000",
    "labelled": "5,500",
    "tiles": "400",
    "xrays": "483",
}

# Case, detectors, protocol, task, and whether each detector has a map.
CASES: tuple[tuple[str, tuple[str, ...], str, str, tuple[bool, ...]], ...] = (
    (
        "photographs of parts or surfaces",
        ("padim", "patch_memory"),
        "tiles",
        "both",
        (True, True),
    ),
    (
        "small grey images with low contrast, such as X-rays",
        ("patch_memory", "padim", "lof:blur=2,directions=8"),
        "xrays",
        "pneumonia",
        (True, True, False),
    ),
    (
        "small images, any anomaly, no anomaly at hand",
        ("diffusion", "inpainting"),
        "blind_spot",
        "mean",
        (True, True),
    ),
    (
        "the same, fast",
        ("autoencoder:score_by=fused", "pca"),
        "blind_spot",
        "mean",
        (True, True),
    ),
    (
        "gaps, stains or scratches of known appearance",
        ("synthetic", "outlier_exposure"),
        "blind_spot",
        "mean",
        (True, False),
    ),
    (
        "one class of small images against all other classes",
        ("lof:blur=2,directions=8", "pca:blur=2,directions=8"),
        "one_class",
        "mean",
        (False, False),
    ),
    (
        "a few known anomalies",
        ("deep_sad", "outlier_exposure"),
        "labelled",
        "1 % known: mean",
        (False, False),
    ),
)

SHORT = {  # the anomalies of the README
    "gaussian_noise:sigma=0.1": "noise, sigma 0.1",
    "pixel_dropout:probability=0.1": "10 % of the pixels black",
    "stripes:lines=1": "one white line",
    "patch_occlusion:side=8,margin=4": "a black square of 8 x 8 pixels",
}
