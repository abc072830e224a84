"""Thumbnails: small pictures of scored images, which reports and the service's page show.

A results folder has one file of them, ``thumbnails.jsonl``. Its first line says how to read the
maps; each further line is one image. Scores of files also have ``scoring.json``, which says which
model gave them.
"""

from anomalist.thumbnails.drawing import asset, drawing_script, page_style, page_template
from anomalist.thumbnails.encoding import encode_image, encode_map, encode_mask
from anomalist.thumbnails.file import (
    FILE,
    Thumbnail,
    ThumbnailFile,
    Thumbnails,
    ThumbnailScore,
)
from anomalist.thumbnails.scale import LEVELS, MapScale
from anomalist.thumbnails.scoring import SCORING, Scoring

__all__ = [
    "FILE",
    "LEVELS",
    "SCORING",
    "MapScale",
    "Scoring",
    "Thumbnail",
    "ThumbnailFile",
    "ThumbnailScore",
    "Thumbnails",
    "asset",
    "drawing_script",
    "encode_image",
    "encode_map",
    "encode_mask",
    "page_style",
    "page_template",
]
