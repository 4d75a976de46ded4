#!/usr/bin/python3
"""Runs what README.md shows on a run of its kind: check_readme.py README FOLDER.

FOLDER holds runs/faces, trained by configs/faces.yaml for a few steps only, and the project's data, analysis and
dagan_mpi.  Each `$ command` of a console block and each `>>> line` of a pycon block runs there, in the order of the
page.  Its output must be the page's, but for the numbers that training decides, as that run is shorter.
"""
import contextlib
import doctest
import io
import os
import re
import subprocess
import sys

from check_files import check


def shown(text):
    """(kind, command, output) of everything the page runs."""
    for kind, block in re.findall(r"^```(console|pycon)\n(.*?)^```$", text, re.M | re.S):
        if kind == "pycon":
            yield from (("pycon", e.source.strip(), e.want) for e in doctest.DocTestParser().get_examples(block))
        else:
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield "console", command, output


def python(source, names):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "README.md", "single"), names)
    return out.getvalue()


def shell(command):
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    return done.stdout + done.stderr + (f"status {done.returncode}\n" if done.returncode else "")


NUMBER = r"-?\d+(\.\d*)?(e[-+]\d+)?"


def same(command, wanted, found):
    """Equal, but for what was learned: any number in Python's output, array elements in that of HDF5's tools.

    numpy fills numbers up with blanks on either side until they are equally wide.
    """
    if command.startswith(("h5ls", "h5dump")):
        masked = [re.sub(r"(?<=\): )[-0-9.e, ]+$", "#", text, flags=re.M) for text in (wanted, found)]
    else:
        numbers = [re.sub(NUMBER + r"(?: (?=[],]))?", "#", text.replace("[ ", "[")) for text in (wanted, found)]
        masked = [re.sub(r"\s+", " ", text) for text in numbers]
    return masked[0] == masked[1]


def main():
    readme, folder = sys.argv[1:]
    with open(readme) as f:
        text = f.read()
    os.chdir(folder)
    names, n = {}, 0
    for kind, command, wanted in shown(text):
        found = python(command, names) if kind == "pycon" else shell(command)
        n += 1
        check(f"README: {command}", same(command, wanted, found), f"\n{found}\nwanted\n{wanted}")
    check("README shows something to run", n > 6, n)


if __name__ == "__main__":
    main()
