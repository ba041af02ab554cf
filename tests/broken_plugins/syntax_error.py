"""Is no Python."""

def sensecf_generators(:
    return []
