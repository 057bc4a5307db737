"""Content-Security-Policy: what a page may load and run. Whatever else got into it, a browser refuses."""

import base64
import hashlib
import re

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)

CLOSED = ("default-src", "base-uri", "form-action", "frame-ancestors", "object-src")
"""Each has to be closed by its name: not all of them follow the first."""


def policy(**allowed: str) -> str:
    """Forbids everything but what is named: `policy(img_src="'self'")` allows the server's own pictures."""
    directives = dict.fromkeys(CLOSED, "'none'") | {
        name.replace("_", "-"): sources for name, sources in allowed.items()
    }
    return "; ".join(f"{name} {sources}".rstrip() for name, sources in directives.items())


def inline_scripts(page: str) -> str:
    """The hashes by which the scripts that stand in a page itself may run, and no others."""
    digests = [hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(page)]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
