"""The README and the pages in docs/: their blocks of code, and the command lines that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tree import ROOT, files, named
from yolofront.commands import BY_NAME

README = ROOT / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`((?:yolofront |python -m search\.)[^`]*)`")
"""A command line in the middle of a sentence."""
PROGRAM = r"(?:\.venv/bin/)?yolofront |(?:\.venv/bin/)?python -m (?:search|spaces)\."
CALL = re.compile(rf"(?:^|(?<=&& ))((?:{PROGRAM}).*?)(?= \| | && |$)")
PLACEHOLDER = re.compile(r"\.\.\.|\b[XN]\b")


@dataclass(frozen=True)
class CommandLine:
    """A command line of this project in a document: the page, the text, and the words."""

    page: str
    text: str
    in_sentence: bool

    @property
    def words(self) -> list[str]:
        """The words as a shell splits them, without a comment."""
        return shlex.split(self.text, comments=True)

    @property
    def module(self) -> str:
        """The module that is called; empty for a name that is no command."""
        words = self.words
        if words[0].endswith("yolofront"):
            return BY_NAME[words[1]].module if len(words) > 1 and words[1] in BY_NAME else ""
        return words[2]

    @property
    def arguments(self) -> list[str]:
        """The words after the command, up to those that it passes on to another one."""
        own = self.words[2 if self.words[0].endswith("yolofront") else 3 :]
        return own[: own.index("--")] if "--" in own else own

    @property
    def is_mention(self) -> bool:
        """True for the name of a command alone in a sentence, where its options do not matter."""
        return self.in_sentence and not self.arguments

    @property
    def passed_on(self) -> list[str]:
        """The words behind `--`."""
        return self.words[self.words.index("--") + 1 :] if "--" in self.words else []


def pages() -> list[Path]:
    """The README and every page of docs/ except measured results."""
    return [README, *(path for path in files(".md") if named(path).startswith("docs/") and "results" not in path.parts)]


def blocks(path: Path, *languages: str) -> list[str]:
    """The contents of a page's blocks of code in any of these languages."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [code for language, code in found if language in languages]


def shell_lines(path: Path) -> list[str]:
    """The lines of a page's shell blocks; a line that ends with a backslash goes on."""
    joined = "\n".join(blocks(path, "sh", "bash")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def command_lines(path: Path) -> Iterator[CommandLine]:
    """The command lines of this project on a page, in blocks and in sentences. Those with placeholders are left out."""
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    sentences = [span.replace("\n", " ") for span in SPAN.findall(prose)]
    for lines, in_sentence in ((shell_lines(path), False), (sentences, True)):
        for call in (call for line in lines for call in CALL.findall(line)):
            if not PLACEHOLDER.search(call):
                yield CommandLine(named(path), call.strip(), in_sentence)
