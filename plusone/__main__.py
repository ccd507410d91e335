"""`python -m plusone`."""

from plusone.cli import app

if __name__ == "__main__":
    app(prog_name="plusone")
