"""Commands that write parts of the repository (dictionary, notebooks, pictures), and mutation."""
