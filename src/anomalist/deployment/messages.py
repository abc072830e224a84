"""The messages of a fit: the choices and their reasons, the costs, and the false-alarm rate.

``anomalist inspect`` prints the same for a stored model.
"""

from __future__ import annotations

from pathlib import Path

from anomalist.calibration import images_needed, proven_rate, rate_range
from anomalist.core.memory import available_bytes
from anomalist.deployment.costs import Estimate
from anomalist.deployment.description import Description
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.planning import Plan
from anomalist.deployment.tiling import Tiling
from anomalist.image_files.survey import Survey

__all__ = ["description_lines", "plan_lines", "trust_lines"]

_LABEL = 14  # width of the first column


def plan_lines(plan: Plan, images: Survey, costs: Estimate) -> list[str]:
    """Return what is going to be fitted, and why."""
    rate = plan.calibration.false_alarms
    width, height = images.median
    several = "" if images.one_size else " (median)"
    colour = "colour" if images.colour else "grey"
    lines = [
        _line("files", f"{height} x {width} pixels{several}, {colour}, {images.depth} bits"),
        _line("detector", f"{plan.detector.spec}: {plan.why_detector}"),
        _line("image size", f"{_size(plan.size, plan.tiling)}: {plan.why_size}"),
        _line("calibration", f"{plan.calibration.method}: {plan.calibration.why}"),
    ]
    if rate is not None:
        lines.append(_line("false alarms", f"{_percent(rate)} of normal images expected"))
    free = available_bytes()
    of_free = "" if free is None else f" of {_gigabytes(free)} free"
    time = "unknown time" if costs.seconds is None else f"about {_seconds(costs.seconds)}"
    lines.append(_line("expected", f"{time}, {_gigabytes(costs.memory)}{of_free}"))
    return lines


def trust_lines(model: CalibratedModel, out: Path) -> list[str]:
    """Return what a fitted model may be trusted with."""
    return [
        f"model saved in {out}",
        *_calibration_lines(model),
        *_cost_lines(model.description),
        f"next: anomalist score {out} FILES… --out RESULTS",
    ]


def description_lines(model: CalibratedModel) -> list[str]:
    """Return what a stored model is."""
    about = model.description
    trained = about.training
    intensity = about.reading.intensity
    black_white = f", black {intensity[0]:g}, white {intensity[1]:g}" if intensity else ""
    versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
    return [
        _line("detector", about.detector),
        _line("fitted", f"{about.created} by anomalist {about.anomalist}"),
        _line("trained on", _trained(about)),
        _line("their hash", trained.sha256),
        _line("image size", _size(about.reading.size, about.tiling)),
        _line(
            "reading",
            f"{about.reading.resize_mode}, {about.reading.channels} channel(s), "
            f"{about.reading.dtype}{black_white}",
        ),
        _line("map", about.map_quantity if about.has_maps else "none"),
        *_calibration_lines(model),
        *_cost_lines(about),
        _line("versions", versions),
    ]


def _trained(about: Description) -> str:
    """Return how many images were used for what."""
    trained = about.training
    held_out = ""
    if about.method == "split":
        held_out = f", {about.calibration_images:,} of them held out for calibration"
    rotated = ", with rotated copies" if trained.rotated else ""
    return f"{trained.images:,} normal images of {trained.folder!r}{held_out}{rotated}"


def _calibration_lines(model: CalibratedModel) -> list[str]:
    about = model.description
    if about.false_alarms is None:
        text = "none: scores rank images, but there is no threshold and no p-value"
        return [_line("calibration", text)]
    n = about.calibration_images
    rate = about.false_alarms
    lines = [
        _line("calibration", f"{about.method}, {n:,} normal images"),
        _line("smallest rate", f"{_percent(1 / (n + 1))} (false alarms that {n:,} images support)"),
    ]
    if about.method == "split":
        low, high = rate_range(n, rate)
        lines.append(_line("threshold", f"{model.threshold:.6g}"))
        lines.append(
            _line(
                "false alarms",
                f"{_percent(rate)} expected, on average over calibration sets; "
                f"{_percent(low)} to {_percent(high)} for this one (95 % interval)",
            )
        )
    else:
        lines.append(
            _line(
                "false alarms",
                f"{_percent(rate)} expected, as measured on real images; guaranteed: at most "
                f"{_percent(proven_rate(n, len(model.calibration.image.folds), rate))}",
            )
        )
        lines.append(_line("note", "export to ONNX needs one detector: --calibration split"))
    wanted = 0.01
    if images_needed(wanted) > n:
        needed = images_needed(wanted)
        text = f"a rate of {_percent(wanted)} needs {needed} calibration images"
        lines.append(_line("note", text))
    return lines


def _cost_lines(about: Description) -> list[str]:
    cost = about.cost
    if cost is None:
        return []
    free = available_bytes()
    fits = ""
    if free is not None:
        enough = cost.peak_bytes < free
        fits = ", fits this machine" if enough else f"; only {_gigabytes(free)} are free here"
    return [
        _line(
            "scoring",
            f"{cost.one_image_ms:.3g} ms for one image, {cost.images_per_s:,.0f} images/s in "
            f"batches ({cost.threads} thread(s), {cost.processor})",
        ),
        _line("memory", f"at most {_gigabytes(cost.peak_bytes)} while fitting{fits}"),
    ]


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"


def _size(size: tuple[int, int] | None, tiling: Tiling | None) -> str:
    if size is not None:
        return f"{size[0]} x {size[1]}"
    assert tiling is not None
    return f"tiles of {tiling.side} x {tiling.side}, overlap {tiling.overlap}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _seconds(count: float) -> str:
    return f"{count:.0f} s" if count < 120 else f"{count / 60:.0f} min"
