"""`python -m sensecf_bench` is the command line too."""

from sensecf_bench.cli.main import main

if __name__ == "__main__":
    main()
