#!/usr/bin/env python3
"""Import circles between the modules under src/, the largest first.

    python3 tests/architecture/circles.py [CHECKOUT]

Two modules are in one circle if each leads to the other by `use` lines or by paths that begin with
`crate::`, `super::` or a child's name. What is reached through methods alone, and tests, are not
counted. It measures; `cargo test --test architecture` refuses.
"""
import os
import re
import sys


def without_tests(text):
    """Without items for tests alone: a module in braces is the last item of its file."""
    text = re.sub(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod \w+ \{.*", "", text, flags=re.S)
    return re.sub(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*[^;{]*;", "", text)


def modules(src):
    """The text of each module by its path under src/, without tests and comments."""
    found = {}
    for folder, _, files in os.walk(src):
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, src)
            if not name.endswith(".rs") or name.endswith("tests.rs") or "tests/" in name:
                continue
            name = name[:-3].removesuffix("/mod")
            with open(path, encoding="utf-8") as text:
                text = without_tests(text.read())
            found[name] = re.sub(r"//.*|pub\(in [^)]*\)", "", text)
    return found


def expand(tree):
    """The paths of a `use` tree."""
    tree = tree.strip()
    nested = re.match(r"^(.*?)\{(.*)\}$", tree, re.S)
    if not nested:
        return [tree.split(" as ")[0].removesuffix("::self").strip()]
    prefix, body = nested.groups()
    parts, depth, part = [], 0, ""
    for char in body:
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    parts.append(part)
    return [prefix + path for one in parts if one.strip() for path in expand(one)]


def target(name, path, known):
    """The module that a path in the module `name` leads to, if it is one of ours."""
    if path.startswith("crate::"):
        words = path.split("::")[1:]
    elif path.startswith("super::"):
        words, up = path.split("::"), name.split("/")
        while words[0] == "super":
            words, up = words[1:], up[:-1]
        words = up + words
    else:
        # From a module to its own children.
        words = name.split("/") + path.removeprefix("self::").split("::")
        if "/".join(words[: len(name.split("/")) + 1]) not in known:
            return None
    for length in range(len(words), 0, -1):
        found = "/".join(words[:length]).replace(" ", "")
        if found in known:
            return None if found == name else found
    return None


def edges(texts):
    uses = re.compile(r"\buse\s+([^;]+);")
    ties = {}
    for name, text in texts.items():
        paths = [path for tree in uses.findall(text) for path in expand(re.sub(r"\s+", " ", tree))]
        paths += re.findall(r"(?<![\w:])\w+(?:::\w+)+", uses.sub("", text))
        found = {target(name, path, texts) for path in paths}
        ties[name] = found - {None, name}
    return ties


def reached(ties, start):
    seen, todo = set(), [start]
    while todo:
        for name in ties[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    return seen


def circles(ties):
    reach = {name: reached(ties, name) for name in ties}
    found = {frozenset(other for other in reach[name] if name in reach[other]) for name in ties}
    return sorted((sorted(circle) for circle in found if circle), key=len, reverse=True)


def main():
    checkout = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../..")
    found = circles(edges(modules(os.path.join(checkout, "src"))))
    for circle in found:
        print(len(circle), *circle)
    print(f"{len(found)} circles, {sum(map(len, found))} modules in them")


main()
