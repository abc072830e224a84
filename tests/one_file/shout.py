"""Say a word loudly."""

from collections.abc import Sequence

from anomalist.cli._parser import Parser

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("shout", "Say a word loudly.")
    parser.add_argument("word")
    print(parser.read(words).word.upper())
