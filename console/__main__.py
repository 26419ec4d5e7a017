"""`python -m console` is the `celeriac` command."""

from console.cli import main

if __name__ == "__main__":
    main(prog_name="celeriac")
