"""Its own package did not come with it."""

import own_module_missing.helpers  # noqa: F401
