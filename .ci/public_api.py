"""The public API of a crate, one line an item, from the pages that rustdoc wrote.

public_api.py DOC_DIR            prints it; DOC_DIR is target/doc/CRATE
public_api.py DOC_DIR --check F  compares it with F, and fails with the differences

To accept a change: rm -rf target/doc/bulla && cargo doc -p bulla --no-deps && python3 .ci/public_api.py target/doc/bulla > api.txt && mv api.txt docs/public-api.txt
"""

import difflib
import html
import pathlib
import re
import subprocess
import sys

KINDS = ("struct", "enum", "trait", "fn", "type", "constant", "macro", "union", "static")


def plain(markup):
    text = html.unescape(re.sub(r"<[^>]+>", "", markup))
    return re.sub(r"\s+", " ", text).strip()


def declaration(page):
    found = re.search(r'<pre class="rust item-decl"><code>(.*?)</code></pre>', page, re.S)
    code = re.sub(r'<summary.*?</summary>', "", found.group(1), flags=re.S) if found else ""
    return re.sub(r"#\[[^\]]*\] ?", lambda m: m.group(0) if "non_exhaustive" in m.group(0) else "", plain(code))


def members(page):
    # What the compiler derives for every type says nothing about this crate.
    page = re.split(r'<h2 id="(?:synthetic|blanket)-implementations"', page)[0]
    for level, markup in re.findall(r'<h([34]) class="code-header">(.*?)</h\1>', page, re.S):
        text = plain(markup)
        if level == "3" and " for " in text:
            yield text
        elif level == "4" and text.startswith("pub "):
            yield text


def lines(root):
    for path in sorted(root.rglob("*.html")):
        kind, _, rest = path.name.partition(".")
        module = "::".join([root.name, *path.relative_to(root).parts[:-1]])
        if kind not in KINDS or not rest or module.startswith(f"{root.name}::docs"):
            continue
        item = f"{module}::{rest.removesuffix('.html')}"
        page = path.read_text(encoding="utf-8")
        if "<title>Redirection</title>" in page:
            continue  # it is at another path
        yield f"{item} = {declaration(page)}"
        yield from sorted({f"{item} : {member}" for member in members(page)})


def main():
    root = pathlib.Path(sys.argv[1])
    compiler = subprocess.run(["rustdoc", "--version"], capture_output=True, text=True, check=True)
    version = ".".join(compiler.stdout.split()[1].split(".")[:2])
    found = [f"# as rustdoc {version} writes it; made by .ci/public_api.py", *lines(root)]
    if len(found) < 100:
        sys.exit(f"expected the pages of a crate in {root}, found {len(found)} items: run cargo doc first")
    if "--check" not in sys.argv:
        print("\n".join(found))
        return
    file = pathlib.Path(sys.argv[sys.argv.index("--check") + 1])
    expected = file.read_text(encoding="utf-8").splitlines()
    if expected == found:
        print(f"{len(found) - 1} lines of public API, as in {file}")
        return
    print("\n".join(difflib.unified_diff(expected, found, str(file), "this code", lineterm="", n=0)))
    if expected[0] != found[0]:
        print(f"NOT CHECKED: {file} was made by another rustdoc; its pages may differ by that alone")
        return
    sys.exit(f"the public API is not what {file} says: see the head of .ci/public_api.py")


main()
