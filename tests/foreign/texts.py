"""Text and bytes that no reader expects: garbage, damaged JSON and YAML, studies and data sets with a fault."""

from __future__ import annotations

import json
from typing import Any

ESCAPE = "\x1b]0;PWN\x07\x1b[31m\u202e"

DEEP = 100_000

Content = bytes | str | dict[str, Any] | list[Any]


def bytes_of(content: Content) -> bytes:
    """Return a file's bytes: text as UTF-8, other values as JSON."""
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode("utf-8", "surrogatepass")


GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "null bytes": b"\0" * 64,
    "not UTF-8": b"\xff\xfe\x80abc",
    "an image": b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    "an HTML page": b"<!DOCTYPE html><html><body>404</body></html>",
    "escape codes": ESCAPE.encode() * 3,
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a shell script": b"#!/bin/sh\ntouch owned\n",
}

DAMAGED_JSON: dict[str, bytes] = {
    "cut": b'{"model": "yolov8n.ya',
    "nested": b"[" * DEEP + b"]" * DEEP,
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "NaN": b'{"model": NaN, "classes": 1}',
    "a number of 5000 digits": b'{"classes": ' + b"9" * 5000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a lone surrogate": b'{"model": "\\ud800"}',
}

DAMAGED_YAML: dict[str, str] = {
    "a tab": "a:\n\t- 1\n",
    "a missing blank": "nc:3\nbackbone\n",
    "nested": "[" * 20_000,
    "an alias bomb": "a0: &a0 [1,1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1},*a{i - 1}]\n" for i in range(1, 60)),
    "a merge bomb": "a0: &a0 {k: 1}\n"
    + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1},*a{i - 1}], k{i}: 1}}\n" for i in range(1, 60)),
    "an alias to itself": "a: &a [*a]\nb: *a\n",
    "a Python object": "a: !!python/object/apply:os.system ['touch owned']\n",
    "an unknown tag": "a: !x 1\n",
    "a date that is none": "a: 2024-13-45\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "a key that is a list": "? [1, 2]\n: 3\n",
    "an anchor that is not there": "a: *b\n",
    "binary that is none": "a: !!binary '****'\n",
    "escape codes": f"'{ESCAPE}': 1\n".replace("\x1b", "\\x1b"),
    "escape codes in a key": '"\\e]0;PWN\\a\\e[31m": 1\n',
    "a list of scalars": "- 1\n- 2\n",
    "a text": "hello\n",
    "an integer of 5000 digits": "nc: " + "9" * 5000 + "\n",
    "sixty base": "a: 190:20:30:99999999999999999999\n",
    "infinity": "nc: .inf\nbackbone: []\nhead: []\n",
}

STUDIES: dict[str, Content] = {
    "an unknown key with escape codes": 'data: digits\n"\\e]0;PWN\\a": 1\n',
    "a value with escape codes": 'data: digits\nsampler: {name: "\\e]0;PWN\\a"}\n',
    "a key twice": "data: digits\ndata: digits\n",
    "a space that is a list": "data: digits\nspace: []\n",
    "its own base": "base: file.yaml\n",
    "a base with escape codes": 'base: "\\e]0;PWN\\a"\n',
    "a base that is a number": "base: 3\n",
    "too long": "# " + "x" * 2**20,
    "trials below zero": "data: digits\nspace: {type: channels}\nn_trials: -1\n",
    "an integer of 5000 digits": "data: digits\nseed: " + "9" * 4000 + "\n",
    "objectives that are numbers": "data: digits\nspace: {type: channels}\nobjectives: [1, 2]\n",
    "limits of texts": "data: digits\nspace: {type: channels}\nlimits: {latency_ms: x}\n",
}

STUDIES_OF_NO_DATA: dict[str, Content] = {
    "data with escape codes": 'data: "\\e]0;PWN\\a"\nspace: {type: channels}\n',
    "a null byte in a name": 'data: "a\\0b"\nspace: {type: channels}\n',
}
"""Studies that are well formed; their data set does not exist."""
DATA_SETS: dict[str, Content] = {
    "names that are a text": "train: .\nval: .\nnames: abc\n",
    "names of lists": "train: .\nval: .\nnames: {0: [a]}\n",
    "names with gaps": "train: .\nval: .\nnames: {0: a, 5: b}\n",
    "a class number of escape codes": 'train: .\nval: .\nnames: {"\\e]0;PWN\\a": a}\n',
    "a million classes": "train: .\nval: .\nnc: 1000000\n",
    "a split with escape codes": 'train: "\\e]0;PWN\\a"\nval: .\nnc: 1\n',
    "a split of null bytes": 'train: "\\0"\nval: .\nnc: 1\n',
    "a split of a megabyte": f"train: {'a' * 100_000}\nval: .\nnc: 1\n",
    "a split that is a number": "train: 5\nval: .\nnc: 1\n",
    "a download that is code": "train: .\nval: .\nnc: 1\ndownload: |\n  import os\n  os.system('touch owned')\n",
    "a path that is a list": "path: [1]\ntrain: .\nval: .\nnc: 1\n",
    "no images": "train: .\nval: .\nnc: 1\n",
}
