"""`python -m selfsame` is the command `selfsame`."""

from selfsame.cli import main

if __name__ == "__main__":
    main()
