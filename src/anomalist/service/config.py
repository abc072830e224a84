"""The options of the service: its address and its limits."""

from __future__ import annotations

import ipaddress

from pydantic import Field

from anomalist.core.config import Config
from anomalist.image_files.decode import MAX_PIXELS

__all__ = ["ServeConfig"]


class ServeConfig(Config):
    """Where the service listens, and what it accepts."""

    host: str = Field(
        "127.0.0.1",
        description="address to listen on; one that other machines can reach needs a token in "
        "ANOMALIST_TOKEN, or --insecure",
    )
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 chooses a free port")
    insecure: bool = Field(False, description="whether to serve other machines without a token")
    max_bytes: int = Field(32_000_000, ge=1, description="maximum bytes per request")
    max_files: int = Field(64, ge=1, description="maximum images per request")
    max_pixels: int = Field(50_000_000, ge=1, le=MAX_PIXELS, description="maximum pixels per image")
    max_seconds: float = Field(
        30, gt=0, le=3600, description="longest time to receive a request, and to decode one image"
    )
    queue: int = Field(
        256, ge=1, description="maximum number of waiting images; further requests get status 503"
    )
    latency_ms: float = Field(
        5,
        ge=0,
        le=10_000,
        description="longest time in milliseconds that an image waits to be scored with others",
    )
    decoders: int = Field(2, ge=1, le=64, description="processes that decode images")
    threads: int | None = Field(
        None, ge=1, description="processor threads that score; by default one per core"
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
