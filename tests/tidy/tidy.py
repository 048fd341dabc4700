#!/usr/bin/env python3
"""The repository's own rules, checked over every file that git knows or would take.
usage: tidy.py ROOT      prints `file:line: rule: what` for each violation; exit code 1 if there is any.
Each rule is a generator of (line, message); tidy_test.py shows each of them failing on a bad sample."""
import os
import re
import subprocess
import sys

CPP = (".cpp", ".hpp", ".h", ".c")
TEST_FOLDERS = ("tests", "spec-tests", "fuzz", "bench", "examples")
# Folders whose code must not throw: all libraries. cli/ may, for its argument parser.
LIBRARIES = ("base", "decoder", "validator", "codegen", "runtime", "engine", "wasi", "http", "capi")
# Some arrows carry one header only: generated code knows the runtime by its ABI page and its tables alone.
NARROW_ARROWS = {("codegen", "runtime"): r"runtime/(abi\.hpp|\w+\.def)$"}
# Dependencies by header, and who may see them.
FOREIGN_HEADERS = {
    "asmjit/": ("codegen/", "tests/codegen/", "bench/"),
    "xbyak/": ("tests/codegen/", "bench/"),
    "CLI/": ("cli/",),
    "capstone/": ("cli/",),
    "llhttp": ("http/", "bench/http/"),
    "mimalloc": ("cli/",),
    "toml++/": ("http/spin/toml.cpp",),
    "gtest/": ("tests/",),
    "gmock/": ("tests/",),
    "benchmark/": ("bench/",),
}
SYSTEM_HEADER = re.compile(
    r"(sys|linux|asm)/|(dirent|dlfcn|fcntl|grp|netdb|poll|pthread|pwd|sched|signal|spawn|termios|ucontext|unistd)\.h$")
SYSTEM_CALLERS = re.compile(r"(base/os_|runtime/|wasi/|http/|cli/|tests/|spec-tests/|fuzz/|bench/|examples/)")
# Written so that no pattern finds itself here.
FORBIDDEN_NAMES = re.compile(
    r"/wor[k]/|[.][.]/share[d]|\bCE[O]\b|workplac[e]|crates[.]i[o]|pypi[.]or[g]|pythonhosted[.]or[g]|npmjs[.]|"
    r"golang[.]or[g]|mave[n][.]apache|debian[.]or[g]", re.IGNORECASE)


def blank(text):
    """The C++ text with the insides of comments and literals as spaces; lines and columns stay."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
        # A quote after a digit separates digits.
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def raw_literal_lines(text):
    """The numbers of the lines that a raw string literal reaches: text of another language, such as WAT."""
    lines = set()
    for found in re.finditer(r'R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"', text, re.DOTALL):
        begin = text.count("\n", 0, found.start()) + 1
        lines.update(range(begin, begin + found[0].count("\n") + 1))
    return lines


def lines_matching(pattern, text, message):
    for number, line in enumerate(text.split("\n"), 1):
        found = re.search(pattern, line)
        if found:
            yield number, message.format(found[0].strip())


def folder_of(path):
    return path.split("/")[0] if "/" in path else ""


class Tree:
    """The files below a root, and the arrows that its CMakeLists.txt declare."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(self.listed())
        self.arrows = dict(self.declared_arrows())

    def listed(self):
        top = self.git("rev-parse", "--show-toplevel").strip()
        if top and os.path.realpath(top) == os.path.realpath(self.root):
            names = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
            return {name for name in names if name and os.path.isfile(os.path.join(self.root, name))}
        return {os.path.relpath(os.path.join(at, name), self.root) for at, _, names in os.walk(self.root)
                for name in names if os.path.relpath(at, self.root).split(os.sep)[0] not in ("build", ".git")}

    def git(self, *words):
        return subprocess.run(["git", "-C", self.root, *words], capture_output=True, text=True).stdout

    def read(self, path):
        with open(os.path.join(self.root, path), "rb") as file:
            data = file.read()
        return None if b"\0" in data else data.decode("utf-8", "replace")

    def declared_arrows(self):
        for path in self.paths:
            if not re.fullmatch(r"[a-z]+/CMakeLists\.txt", path) or folder_of(path) in TEST_FOLDERS:
                continue
            text = self.read(path)
            library = re.search(r"wrun_library\((\w+) DEPENDS([\w\s]*?)(?:\sLIBS|\))", text)
            if library:
                yield library[1], set(library[2].split())
            else:
                yield folder_of(path), set(re.findall(r"\bwrun_(\w+)\b", "".join(re.findall(
                    r"target_link_libraries\([^)]*\)", text)))) - {folder_of(path)}


def check_includes(tree, path, text):
    """Arrows between folders, and who may see which dependency and the system."""
    if not path.endswith(CPP + (".S", ".inc", ".def")):
        return
    folder = folder_of(path)
    for number, line in enumerate(text.split("\n"), 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
        if not include:
            continue
        quoted, name = include[1] == '"', include[2]
        for prefix, allowed in FOREIGN_HEADERS.items():
            if name.startswith(prefix) and not path.startswith(allowed):
                yield number, f"<{name}> belongs to {' '.join(allowed)} only"
        if SYSTEM_HEADER.match(name) and not SYSTEM_CALLERS.match(path):
            yield number, f"<{name}>: the system is called in base/os_*, runtime/, wasi/, http/ and cli/ only"
        if not quoted:
            continue
        target = folder_of(name)
        if target not in tree.arrows and target not in TEST_FOLDERS:
            yield number, f'"{name}" does not name a file from the root of the tree'
        elif name not in tree.paths:
            yield number, f'"{name}" does not exist'
        elif folder in tree.arrows and target != folder:
            if target not in tree.arrows[folder]:
                yield number, f'"{name}": there is no arrow from {folder}/ to {target}/'
            elif not re.match(NARROW_ARROWS.get((folder, target), ""), name):
                yield number, f'"{name}": {folder}/ sees {NARROW_ARROWS[folder, target]} of {target}/ only'


def check_exceptions(tree, path, text):
    """Libraries are built without exceptions and type information; no macro may bring them back."""
    if folder_of(path) in LIBRARIES and path.endswith(CPP):
        words = r"\b(throw\b|try\s*\{|catch\s*\(|dynamic_cast\b|typeid\b)"
        yield from lines_matching(words, blank(text), "`{}` in a library")


def check_opening(tree, path, text):
    """A file says first what it is."""
    name = os.path.basename(path)
    if path.endswith(CPP + (".S", ".inc", ".def")):
        if not text.startswith(("//", "/*")):
            yield 1, "opens without a comment"
        elif path.endswith(".hpp") and text.count("\n") > 40 and not re.match(r"//.*\n//|/\*.*\n", text):
            yield 1, "a header opens with two lines or more: what, why, invariants, who owns what"
    elif name == "CMakeLists.txt" or path.endswith((".cmake", ".sh", ".py")) or text.startswith("#!"):
        body = text.split("\n", 1)[1] if text.startswith("#!") else text
        if not body.startswith(("#", '"""')):
            yield 1, "opens without a comment"


def check_names(tree, path, text):
    """The tree speaks of the project alone."""
    if path == ".ci/run" or path.endswith(".lock"):
        return
    yield from lines_matching(FORBIDDEN_NAMES, text, "names `{}`, which is no part of the project")


def check_lines(tree, path, text):
    """Length, tabs, white space at the end."""
    if path == "LICENSE" or path.endswith((".lock", ".wast", ".http")) or path.startswith("docs/performance/"):
        return
    limit = 100 if path.endswith(CPP) else 140 if path.endswith(".def") else 120
    text_of_other_languages = raw_literal_lines(text) if path.endswith(CPP) else ()
    for number, line in enumerate(text.split("\n"), 1):
        # Neither rows of a table nor addresses can be wrapped.
        unbreakable = path.endswith(".md") and line.startswith("|") or re.fullmatch(r"\S*\s*\S*https?://\S+", line)
        most = 120 if number in text_of_other_languages else limit
        if len(line) > most and not unbreakable:
            yield number, f"{len(line)} characters, over {most}"
        if "\t" in line and not path.endswith(".go"):  # gofmt indents with them
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "white space at the end"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"


def check_todo(tree, path, text):
    """Work left over is `TODO` with topic and condition, so that someone can tell when it is due."""
    if path.startswith("tests/tidy/") or path == "LICENSE":
        return
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(FIXME|XXX|HACK)\b", line):
            yield number, "FIXME, XXX and HACK are not used; see the form of TODO"
        if re.search(r"\bTODO\b", line) and not re.search(r"\bTODO\([a-z0-9 _/-]+\): \S+ \S+", line):
            yield number, "TODO(topic): condition that lets us do it"


def anchors(text):
    """The anchors of a Markdown text's headings."""
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links(tree, path, text):
    """Links of documents to files and headings of the tree lead somewhere."""
    if not path.endswith(".md"):
        return
    for number, line in enumerate(text.split("\n"), 1):
        for link in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if target not in tree.paths and not any(p.startswith(target + "/") for p in tree.paths):
                yield number, f"{link} leads nowhere"
            elif anchor and target.endswith(".md") and anchor not in anchors(tree.read(target)):
                yield number, f"{link}: no such heading"


def check_index(tree, path, text):
    """The index of folders in the architecture page has the arrows that CMake has."""
    if path != "docs/architecture.md":
        return
    told = {}
    for number, line in enumerate(text.split("\n"), 1):
        row = re.fullmatch(r"\| `(\w+)/` \|.*\| ([\w, ]+) \|", line)
        if row and row[1] in tree.arrows:
            told[row[1]] = set(row[2].split(", ")) - {"nothing"}
            if told[row[1]] != tree.arrows[row[1]]:
                built = ", ".join(sorted(tree.arrows[row[1]])) or "nothing"
                yield number, f"{row[1]}/ depends on {built}, says its CMakeLists.txt"
    for folder in sorted(set(tree.arrows) - set(told)):
        yield 1, f"{folder}/ is missing in the index of folders"


def check_size(tree, path):
    """What is large does not belong into the history."""
    size = os.path.getsize(os.path.join(tree.root, path))
    limit = 64 << 10 if path.endswith(".wasm") else 1 << 20
    if size > limit:
        yield 1, f"{size} bytes, over {limit}"


TEXT_CHECKS = {
    "include": check_includes, "exceptions": check_exceptions, "opening": check_opening, "names": check_names,
    "lines": check_lines, "todo": check_todo, "links": check_links, "index": check_index,
}


def violations(root):
    """All of them, as lines of text, in the order of the files."""
    tree = Tree(root)
    for path in tree.paths:
        found = [(line, "size", what) for line, what in check_size(tree, path)]
        text = tree.read(path)
        for rule, check in TEXT_CHECKS.items() if text is not None else ():
            found += [(line, rule, what) for line, what in check(tree, path, text)]
        yield from (f"{path}:{line}: {rule}: {what}" for line, rule, what in sorted(found))


if __name__ == "__main__":
    count = 0
    for violation in violations(sys.argv[1]):
        print(violation)
        count += 1
    print(f"{count} violations")
    sys.exit(count > 0)
