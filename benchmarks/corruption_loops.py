"""Each corruption as the loop over images that a careful NumPy user would write.

benchmarks/corruptions.py compares with them. Each function corrupts one grey image ``[H, W]`` by a
physical strength with a generator of its own, in the same way as the corruption of its name, with
draws of the same distribution; what does not change from image to image is made once.
"""

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from scipy import ndimage

F = np.float32


def blobs(x, area, rng):
    """Erase the highest pixels of smoothed noise."""
    h, w = x.shape
    field = _gaussian(h, 2.0) @ (rng.random((h, w), F) - F(0.5)) @ _gaussian(w, 2.0).T
    place = x.size - math.ceil(area * x.size)
    return np.where(field >= np.partition(field.ravel(), place)[place], F(0), x)


@lru_cache
def _gaussian(length, sigma):
    kernel = np.exp(-0.5 * (np.subtract.outer(np.arange(length), np.arange(length)) / sigma) ** 2)
    return (kernel / np.linalg.norm(kernel, axis=1, keepdims=True)).astype(F)


def brightness(x, shift, rng):
    """Add an amount of either sign."""
    u, side = rng.random(2)
    amount = F(shift * (1 + u) / 2)
    return np.clip(x + (amount if side < 0.5 else -amount), 0, 1)


def contrast(x, amount, rng):
    """Scale the distance from the mean."""
    u, side = rng.random(2)
    amount *= (1 + u) / 2
    mean = x.mean()
    return np.clip(mean + F(1 - amount if side < 0.5 else 1 / (1 - amount)) * (x - mean), 0, 1)


def cut_paste(x, side, rng):
    """Copy a square to another place."""
    side = int(side)
    (h, w), steps = x.shape, _steps(*x.shape)
    dy, dx = steps[rng.integers(len(steps))]
    top = max(0, -dy) + rng.integers(h - abs(dy) - side + 1)
    left = max(0, -dx) + rng.integers(w - abs(dx) - side + 1)
    out = x.copy()
    out[top : top + side, left : left + side] = x[
        top + dy : top + dy + side, left + dx : left + dx + side
    ]
    return out


@lru_cache
def _steps(h, w):
    return [
        (dy, dx)
        for dy in range(-(h // 2), h // 2 + 1)
        for dx in range(-(w // 2), w // 2 + 1)
        if 4 * abs(dy) >= h or 4 * abs(dx) >= w
    ]


def elastic_warp(x, radius, rng):
    """Warp a disc by a smooth field."""
    (h, w), most, away = x.shape, min(x.shape) / 3, int(radius)
    border = int(most)
    row, column = border + rng.integers(h - 2 * border), border + rng.integers(w - 2 * border)
    weights, cover = _rubber(radius, most)
    down, across = weights @ (1.2 * most * (rng.random((2, 4, 4)) - 0.5)) @ weights.T
    offset = np.arange(-away, away + 1)
    top, bottom, left, right = row - away, row + away + 1, column - away, column + away + 1
    at = (
        np.clip(down + row + offset[:, None], 0, h - 1),
        np.clip(across + column + offset, 0, w - 1),
    )
    new = ndimage.map_coordinates(x, at, order=1)
    out = x.copy()
    out[top:bottom, left:right] += cover * (new - x[top:bottom, left:right])
    return out


@lru_cache
def _rubber(radius, most):
    offset = np.arange(-int(radius), int(radius) + 1)
    near = np.clip(1 - np.abs((offset[:, None] / most + 1) * 1.5 - np.arange(4)), 0, 1)
    cover = np.clip((radius - np.hypot(offset[:, None], offset)) / (0.3 * most), 0, 1)
    return near * near * (3 - 2 * near), cover


def gaussian_blur(x, sigma, rng):
    """Blur by SciPy's filter."""
    return ndimage.gaussian_filter(x, sigma * (1 + rng.random()) / 2, truncate=2.6)


def gaussian_noise(x, sigma, rng):
    """Add noise."""
    return np.clip(x + F(sigma) * rng.standard_normal(x.shape, F), 0, 1)


def ghosting(x, opacity, rng):
    """Screen the mirror image over the image."""
    mirror = (x[:, ::-1], x[::-1], x[::-1, ::-1])[rng.integers(3)]
    return x + (1 - x) * (F(opacity * (1 + rng.random()) / 2) * mirror)


def line_jitter(x, lines, rng):
    """Roll some rows."""
    out, reach = x.copy(), x.shape[1] // 8
    rows = rng.permutation(len(x))[: int(lines)]
    slips = rng.integers(1, reach + 1, len(rows)) * np.where(rng.random(len(rows)) < 0.5, -1, 1)
    for row, slip in zip(rows, slips, strict=True):
        out[row, :slip], out[row, slip:] = x[row, -slip:], x[row, :-slip]
    return out


def local_rotation(x, radius, rng):
    """Turn a disc."""
    (h, w), most, side = x.shape, min(x.shape) / 3, int(radius + 1)
    middle = np.array(
        [(length - 1) / 2 + (length - 2 * most) * (rng.random() - 0.5) for length in (h, w)]
    )
    turn = np.radians(90) * (1 + rng.random()) / 2 * rng.choice((-1, 1))
    row, column = np.rint(middle).astype(int)
    top, bottom, left, right = (
        max(row - side, 0),
        row + side + 1,
        max(column - side, 0),
        column + side + 1,
    )
    dy, dx = np.ogrid[top : min(bottom, h), left : min(right, w)]
    dy, dx = dy - middle[0], dx - middle[1]
    cos, sin = math.cos(turn), math.sin(turn)
    at = (
        np.clip(middle[0] + cos * dy + sin * dx, 0, h - 1),
        np.clip(middle[1] - sin * dy + cos * dx, 0, w - 1),
    )
    cover = np.clip(radius + 0.5 - np.sqrt(dy * dy + dx * dx), 0, 1)
    out = x.copy()
    out[top:bottom, left:right] += cover * (
        ndimage.map_coordinates(x, at, order=1) - x[top:bottom, left:right]
    )
    return out


def missing_stroke(x, radius, rng):
    """Erase what is connected with a seed on the stroke."""
    low, high = x.min(), x.max()
    stroke = x > low + F(0.1) * (high - low)
    places = np.flatnonzero(stroke)
    reached = np.zeros_like(stroke)
    reached.flat[places[rng.integers(len(places))]] = True
    reached = ndimage.binary_dilation(
        reached, np.ones((3, 3), bool), iterations=int(radius), mask=stroke
    )
    return np.where(reached, low, x)


def motion_blur(x, length, rng):
    """Sum shifted copies along a line."""
    (h, w), reach, angle = x.shape, int(length / 2), np.pi * rng.random()
    sigma = length / 6 * (1 + rng.random()) / 2
    step = np.array([math.sin(angle), math.cos(angle)])
    step /= np.abs(step).max()
    number = np.arange(1, reach + 1)
    weights = np.maximum(
        np.exp(-0.5 * (number * math.hypot(*step) / sigma) ** 2) - math.exp(-4.5), 0
    )
    weights /= 2 * weights.sum() + 1 - math.exp(-4.5)
    padded = np.pad(x, reach, mode="symmetric")
    out = F(1 - 2 * weights.sum()) * x
    for k in number[weights > 0]:
        dy, dx = np.rint(k * step).astype(int)
        one = padded[reach + dy : reach + dy + h, reach + dx : reach + dx + w]
        out += F(weights[k - 1]) * (
            one + padded[reach - dy : reach - dy + h, reach - dx : reach - dx + w]
        )
    return np.clip(out, 0, 1)


def patch_occlusion(x, side, rng):
    """Blacken a square."""
    side = int(side)
    top, left = rng.integers(x.shape[0] - side + 1), rng.integers(x.shape[1] - side + 1)
    out = x.copy()
    out[top : top + side, left : left + side] = 0
    return out


def perlin(x, area, rng):
    """Fill the highest pixels of Perlin noise with more of it."""
    field, texture = _noise(x.shape, rng), _noise(x.shape, rng)
    place = x.size - math.ceil(area * x.size)
    lowest = np.partition(field.ravel(), place)[place]
    return np.where(field >= lowest, np.clip(F(0.9) * texture + F(0.5), 0, 1), x)


def _noise(shape, rng):
    (fade_y, lean_y), (fade_x, lean_x) = (
        _lattice(length, 2 ** int(rng.integers(1, 4))) for length in shape
    )
    angle = F(2 * np.pi) * rng.random((fade_y.shape[1], fade_x.shape[1]), F)
    return lean_y @ np.sin(angle) @ fade_x.T + fade_y @ np.cos(angle) @ lean_x.T


@lru_cache
def _lattice(length, cells):
    distance = ((np.arange(length) + 0.31) / length * cells)[:, None] - np.arange(cells + 2)
    near = np.clip(1 - np.abs(distance), 0, 1)
    fade = near**3 * (near * (6 * near - 15) + 10)
    return fade.astype(F), (fade * distance).astype(F)


def pixel_dropout(x, probability, rng):
    """Blacken pixels."""
    return x * (rng.random(x.shape, F) >= F(probability))


def pixel_shuffle(x, share, rng):
    """Swap pairs of a square's pixels."""
    side = round(0.5 * min(x.shape))
    top, left = rng.integers(x.shape[0] - side + 1), rng.integers(x.shape[1] - side + 1)
    order, half = rng.permutation(side * side), side * side // 2
    one, other = order[: math.ceil(share * half)], order[half : half + math.ceil(share * half)]
    square = x[top : top + side, left : left + side].ravel()
    square[one], square[other] = square[other], square[one]
    out = x.copy()
    out[top : top + side, left : left + side] = square.reshape(side, side)
    return out


def quantisation(x, share, rng):
    """Round the cosine transform of some blocks."""
    (down, i, rows), (across, j, columns) = (
        _transform(length, int(rng.integers(8))) for length in x.shape
    )
    size = F(0.2) * (1 + i[:, None] + j)
    new = down.T @ (np.rint(down @ x @ across.T / size) * size) @ across
    shape = rows[-1] + 1, columns[-1] + 1
    hit = np.zeros(shape[0] * shape[1], bool)
    hit[rng.permutation(hit.size)[: math.ceil(share * hit.size)]] = True
    return np.where(hit.reshape(shape)[rows[:, None], columns], np.clip(new, 0, 1), x)


@lru_cache
def _transform(length, grid):
    matrix, frequency, block = (
        np.zeros((length, length), F),
        np.zeros(length, F),
        (np.arange(length) + grid) // 8,
    )
    for number in range(block[-1] + 1):
        inside = np.flatnonzero(block == number)
        matrix[np.ix_(inside, inside)] = scipy.fft.dct(np.eye(len(inside)), axis=0, norm="ortho")
        frequency[inside] = np.arange(len(inside)) * (8 / len(inside))
    return matrix, frequency, block


def salt_and_pepper(x, probability, rng):
    """Overwrite pixels by 0 or 1."""
    draws = rng.random(x.shape, F)
    out = np.where(draws < F(probability), F(0), x)
    out[draws < F(probability / 2)] = 1
    return out


def scratches(x, length, rng):
    """Draw two pieces of parabolas."""
    (h, w), cover = x.shape, F(0)
    rows, columns = np.arange(h, dtype=F)[:, None] + F(0.5), np.arange(w, dtype=F) + F(0.5)
    for u, v, direction, bend in rng.random((2, 4)):
        y, x_, angle = rows - F(h * u), columns - F(w * v), np.pi * direction
        along = F(math.sin(angle)) * y + F(math.cos(angle)) * x_
        slope = F(2 * (bend - 0.5) / (min(h, w) / 2)) * along
        away = (F(math.cos(angle)) * y - F(math.sin(angle)) * x_ - slope * along) / np.sqrt(
            1 + 4 * slope * slope
        )
        end = np.clip(F(length / 2 + 0.5) - np.abs(along), 0, 1)
        cover = np.maximum(cover, np.clip(1 - np.abs(away), 0, 1) * end)
    return x + cover * (1 - x)


def shading(x, loss, rng):
    """Multiply by a ramp."""
    (h, w), (turn, u) = x.shape, rng.random(2)
    down, across = math.sin(2 * np.pi * turn), math.cos(2 * np.pi * turn)
    reach, most = h * abs(down) + w * abs(across), loss * (1 + u) / 2
    y, x_ = np.arange(h, dtype=F)[:, None] - F((h - 1) / 2), np.arange(w, dtype=F) - F((w - 1) / 2)
    return x * (F(1 - most / 2) - F(most * down / reach) * y - F(most * across / reach) * x_)


def speckle_noise(x, sigma, rng):
    """Multiply by noise."""
    return np.clip(x + x * F(sigma) * rng.standard_normal(x.shape, F), 0, 1)


def stripes(x, lines, rng):
    """Whiten rows or columns."""
    out = x.copy()
    lines = int(lines)
    if rng.random() < 0.5:
        out[rng.permutation(x.shape[0])[:lines]] = 1
    else:
        out[:, rng.permutation(x.shape[1])[:lines]] = 1
    return out
