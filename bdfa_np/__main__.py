"""``python -m bdfa_np``: the command line."""

from bdfa_np.cli import main

if __name__ == "__main__":
    main()
