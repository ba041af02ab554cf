"""Started under another interpreter: says in JSON what it is and what is installed there. Standard library only."""

import importlib.metadata
import json
import platform
import sys

installed = {}
for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    if name and name not in installed:  # of two on the path, the first is the one that is imported
        installed[name] = distribution.version
print(
    json.dumps(
        {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "supported": sys.version_info >= (3, 9),
            "installed": installed,
        }
    )
)
