"""``python -m toolkit`` is the command ``logprobs``."""

from toolkit.cli.entry import main

if __name__ == "__main__":
    main(prog_name="logprobs")
