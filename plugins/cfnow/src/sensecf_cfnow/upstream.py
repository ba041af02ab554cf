"""The package cfnow, imported without its download. Importing this module imports it.

cfnow looks for NLTK's WordNet when it is imported and downloads it if it is missing; only its explanations of texts
need it.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

nltk: Any = importlib.import_module("nltk")


@contextlib.contextmanager
def _no_download() -> Iterator[None]:
    download = nltk.download
    nltk.download = lambda *_args, **_settings: False
    try:
        yield
    finally:
        nltk.download = download


with _no_download():
    cf_finder = importlib.import_module("cfnow.cf_finder")
searchers = importlib.import_module("cfnow._cf_searchers")
fine_tune = importlib.import_module("cfnow._fine_tune")

# Its messages go to the root logger by functions that configure logging for the whole process; a logger of its own
# takes their place.
_log = logging.getLogger("cfnow")
_log.addHandler(logging.NullHandler())
for _module in (cf_finder, searchers, fine_tune):
    vars(_module)["logging"] = _log

find_tabular: Callable[..., Any] = cf_finder.find_tabular
