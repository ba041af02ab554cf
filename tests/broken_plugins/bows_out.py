from sensecf_bench import Unavailable

raise Unavailable("no GPU here", "use a machine with one")
