"""Does what a page tells a new user, as it stands: commands into one bash, programs into the files named above them.

Usage: follow_readme.py <page>, in an empty folder. Ends with the code of the first command that fails.

A block of `sh` is run; a block of another language is a program, and the line above it is its file's name in backticks
and a colon. Diagrams are left out. Whatever the page starts and leaves running is ended by the page's own words: the
first line of text with "`kill" in it. What is absent: substitutions in the commands; where the checkout is stands in
the environment, as it may for a reader.
"""

import pathlib
import re
import subprocess
import sys

SECONDS_MAX = 1200
BLOCK = re.compile(r"(?:`(?P<file>[^`\n]+)`:\n)?```(?P<language>\w+)\n(?P<content>.*?)^```$", re.S | re.M)
END = re.compile(r"`(kill [^`]+)`")


def script(page):
    """All that the page tells, as one script of bash that ends at the first failure."""
    lines = ["set -e"]
    ending = END.search(page)
    if ending:
        # Not an error where the page had not come so far.
        lines.append(f"trap {quoted(ending[1] + ' 2>/dev/null || true')} EXIT")
    blocks = [block for block in BLOCK.finditer(page) if block["language"] != "mermaid"]
    if not any(block["language"] == "sh" for block in blocks):
        sys.exit("the page tells no commands")
    for block in blocks:
        if block["language"] == "sh":
            lines.append(block["content"])
        elif block["file"]:
            lines.append(f"printf %s {quoted(block['content'])} >{quoted(block['file'])}")
        else:
            sys.exit(f"a block of {block['language']} does not say which file it is")
    return "\n".join(lines)


def quoted(word):
    """One word for bash."""
    return "'" + word.replace("'", "'\\''") + "'"


def main():
    page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    # Traced, so that what failed stands last in the log.
    return subprocess.run(["bash", "-xc", script(page)], timeout=SECONDS_MAX).returncode


if __name__ == "__main__":
    sys.exit(main())
