#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""file.sync, called as a task child calls it, against an HTTP server that misbehaves on demand."""
import functools
import os
import random
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, read_tree, sha256, write_tree  # noqa: E402
from tasks import Task, done, equal, folder, has, ok, plan_skip, run, stop, together as run_together, TOP  # noqa: E402

random.seed(7)
BIG = random.randbytes(3000000)
FILES = {"a.txt": b"alpha", "dir/b c%#?.txt": b"beta", "dir/sub/\u00fcmlaut, with comma": b"gamma", "empty": b"",
         "same": b"alpha", "big": BIG}


class Place:
    """A source, its server and a state directory."""

    def __init__(self, top, files=None):
        self.top = top
        self.source = os.path.join(top, "source")
        self.manifest = write_tree(self.source, FILES if files is None else files)
        self.server = Server(self.source)

    def sync(self, repository="r", url=None, **options):
        """Runs a sync to its end."""
        return run(self.top, "file", "sync", {"repository": repository, "url": url or self.url()}, **options)

    def start(self, repository="r", **options):
        """Starts one."""
        return Task(self.top, "file", "sync", {"repository": repository, "url": self.url()}, **options)

    def url(self):
        """Of the manifest."""
        return self.server.url + "PULP_MANIFEST"

    def state(self, *path):
        """A path in the state directory."""
        return os.path.join(self.top, "state", *path)

    def content(self):
        """What the store holds: sha256 -> bytes."""
        return {name.replace("/", ""): data for name, data in read_tree(self.state("content")).items()}

    def latest(self, repository="r"):
        """The latest version's manifest."""
        try:
            with open(self.state("repositories", repository, "latest", "manifest"), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def unfinished(self):
        """What is not where it belongs."""
        found = os.listdir(self.state("partial"))
        for where, dirs, _ in os.walk(self.state("repositories")):
            found += [name for name in dirs if name.startswith(".")]
        return found

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.close()


def first_and_second(top):
    """The plain way."""
    with Place(top) as place:
        task = place.sync()
        sizes = len(BIG) + len("alphabetagamma")
        equal(task.result, {"repository": "r", "version": 1, "added": 6, "removed": 0, "present": 6, "downloaded": 4,
                            "bytes": sizes}, "a first sync: each content once, all files in version 1")
        equal(place.content(), {sha256(data): data for data in FILES.values()}, "the store has all contents by name")
        equal(place.latest(), place.manifest, "the version's manifest is the source's")
        equal(place.unfinished(), [], "nothing half-made is left")
        equal((task.report("sync.parsing")["done"], task.report("sync.parsing")["state"]), (6, "completed"),
              "progress: parsing")
        got = task.report("sync.downloading")
        equal((got["done"], got["total"], got["state"]), (5, 5, "completed"), "progress: files")
        got = task.report("sync.bytes")
        equal((got["done"], got["total"], got["state"], got["suffix"]), (sizes, sizes, "completed", "B"),
              "progress: bytes")
        modes = {os.stat(os.path.join(where, name)).st_mode & 0o777 for where, _, names in
                 os.walk(place.state("content")) for name in names}
        equal(modes, {0o444}, "contents are not writable")
        place.server.clear()
        equal(place.sync().result, {"repository": "r", "version": 1, "added": 0, "removed": 0, "present": 6,
                                    "downloaded": 0, "bytes": 0}, "a sync that changes nothing makes no version")
        equal([name for name, _ in place.server.requests], ["PULP_MANIFEST"], "and fetches nothing but the manifest")
        write_tree(place.source, {"a.txt": b"ALPHA", "new": b"new", "big": BIG})
        result = place.sync().result
        equal((result["version"], result["added"], result["removed"], result["present"], result["downloaded"]),
              (2, 2, 5, 3, 2), "a change makes the next version")
        with open(place.state("repositories/r/versions/1/manifest"), encoding="utf-8") as file:
            equal(file.read(), place.manifest, "the old one stays")
        equal(place.sync("other").result["downloaded"], 0, "another repository shares the store")
        victim = place.state("content", sha256(BIG)[:2], sha256(BIG)[2:])
        os.chmod(victim, 0o644)
        os.truncate(victim, 1000)
        equal(place.sync().result["downloaded"], 1, "a content of a wrong size is fetched again")
        equal(place.content()[sha256(BIG)], BIG, "and is whole then")
        write_tree(place.source, {})
        result = place.sync().result
        equal((result["version"], result["present"], result["removed"]), (3, 0, 3), "an empty manifest is a version too")


def file_urls(top):
    """Without a server."""
    source = os.path.join(top, "sou rce")
    write_tree(source, FILES)
    url = "file://" + source.replace(" ", "%20") + "/PULP_MANIFEST"
    task = run(top, "file", "sync", {"repository": "r", "url": url})
    equal(task.result and task.result["downloaded"], 4, "file:// works")
    partial = os.path.join(top, "state", "partial", sha256(b"0123456789"))
    write_tree(source, {"x": b"0123456789"})
    with open(partial, "wb") as file:
        file.write(b"01234")
    equal(run(top, "file", "sync", {"repository": "r", "url": url}).result["bytes"], 5, "file:// resumes")
    os.remove(os.path.join(source, "x"))
    write_tree(source, {"y": b"abc"})
    os.remove(os.path.join(source, "y"))
    has(run(top, "file", "sync", {"repository": "r", "url": url}).failure, "y: ", "a file that is missing is named")


def many(top):
    """Number and parallelism."""
    files = {"d%d/file-%d" % (i % 7, i): b"%d" % i * (1 + i * 13 % 400) for i in range(500)}
    with Place(top, files) as place:
        result = place.sync().result
        equal((result["present"], result["downloaded"]), (500, 500), "500 files")
        equal(place.content(), {sha256(data): data for data in files.values()}, "all are there")
        ok(1 < place.server.most_open <= 8, "several at once, at most 8 (%d)" % place.server.most_open)
        equal(len(place.server.requests), 501, "each is asked for once")


def trouble(top, what, mode, good, requests, failure=None):
    """One sync from a server with a problem."""
    os.mkdir(top)
    with Place(top, {"f": BIG[:100000]}) as place:
        place.server.modes = {"f": mode}
        task = place.sync()
        ok(good == (task.result is not None), what, str(task.failure))
        if failure:
            equal(task.failure, failure, "the error: " + failure)
            equal(task.report("sync.downloading")["state"], "failed", "the progress reports have failed then")
        if isinstance(requests, int):
            equal(len(place.server.asked("f")), requests, "in %d attempts" % requests)
        else:
            equal(place.server.asked("f"), requests, "asking for %r" % requests)


def troubles(top):
    """Servers with a problem that passes, or does not."""
    cases = (
        ("503 three times is survived", {"fail": 3}, True, 4),
        ("503 four times is not", {"fail": 4}, False, 4, "f: after 4 attempts: the server answered 503"),
        ("a connection that is closed without an answer", {"hang_up": 2}, True, 3),
        ("429", {"fail": 1, "status": 429}, True, 2),
        ("a body cut short: only the rest is asked for", {"truncate": 1}, True, [None, "bytes=50000-"]),
        ("cut short many times, further each time", {"truncate": 9}, True, 10),
        ("cut short without a length", {"truncate": 1, "length": False}, True, [None, "bytes=50000-"]),
        ("cut short, from a server without ranges", {"truncate": 2, "ranges": False}, True, 3),
        ("always cut short without ranges is given up", {"truncate": 99, "ranges": False}, False, 4),
        ("404 is no passing problem", {"fail": 9, "status": 404}, False, 1, "f: the server answered 404"),
        ("204 is no file", {"fail": 9, "status": 204}, False, 1, "f: the server answered 204"),
        ("a range that is not the one asked for", {"truncate": 1, "shift": 1}, False, 2,
         "f: the server sent another range than was asked for"),
    )
    run_together([functools.partial(trouble, os.path.join(top, str(i)), *case) for i, case in enumerate(cases)])


def redirects(top):
    """Where a server may send us."""
    with Place(top, {"f": b"data", "g": b"data"}) as place:
        place.server.modes = {"f": {"redirect": "/g"}}
        equal(place.sync().result["downloaded"], 1, "a redirect is followed")
    with Place(os.path.join(top, "2"), {"f": b"other"}) as place:
        place.server.modes = {"f": {"redirect": "/f"}}
        has(place.sync().failure, "f: Maximum (5) redirects followed", "not for ever")
        place.server.modes = {"f": {"redirect": "file://" + os.path.join(place.source, "f")}}
        has(place.sync().failure, "f: ", "never to a file of this machine")
        equal(place.content(), {}, "which does not get into the store")


def tls(top):
    """https, and whom it trusts."""
    pem = os.path.join(top, "pem")
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem,
                        "-out", pem + ".cert"], check=True, capture_output=True)
    except FileNotFoundError:
        print("# no openssl to make a certificate with", flush=True)
        return
    with open(pem, "a", encoding="ascii") as file, open(pem + ".cert", encoding="ascii") as cert:
        file.write(cert.read())
    with Place(top, {"f": b"data"}) as place:
        server = Server(place.source, pem)
        kwargs = {"repository": "r", "url": server.url.replace("http:", "https:") + "PULP_MANIFEST"}
        task = run(top, "file", "sync", kwargs)
        has(task.failure, "certificate", "https from a server that nobody vouches for: %s" % task.failure)
        ok("attempts" not in (task.failure or ""), "is not tried again")
        equal(run(top, "file", "sync", kwargs, env={"SSL_CERT_FILE": pem + ".cert", "CURL_CA_BUNDLE": ""}).failure, None,
              "SSL_CERT_FILE says whom to trust")
        server.close()


def huge(top):
    """Counts beyond 32 bits."""
    with Place(top, {}) as place:
        with open(os.path.join(place.source, "PULP_MANIFEST"), "w", encoding="ascii") as file:
            file.write("f,%s,5000000000000" % sha256(b"x"))
        got = place.sync().report("sync.bytes")
        equal((got["total"], got["suffix"], got["state"]), (4768371, "MiB", "failed"), "are reported in larger units")


def corrupted(top):
    """Content that is not what the manifest says."""
    good = BIG[:50000]
    for what, data in (("changed", b"X" + good[1:]), ("longer", good + b"X"), ("shorter", good[:-1])):
        with Place(os.path.join(top, what), {"ok": b"fine", "f": good}) as place:
            place.server.modes = {"f": {"data": data}}
            task = place.sync()
            has(task.failure, "f: ", "content that is %s is refused: %s" % (what, task.failure))
            equal(place.latest(), None, "and makes no version")
            ok(set(place.content()) <= {sha256(b"fine")}, "nor a content")
            place.server.modes = {}
            equal(place.sync().result["version"], 1, "the next sync heals it")
            equal(place.content(), {sha256(b"fine"): b"fine", sha256(good): good}, "with the right content")
    with Place(os.path.join(top, "rest"), {"f": good}) as place:
        os.makedirs(place.state("partial"))
        for what, rest, ranges in (("wrong", b"?" * 20000, ["bytes=20000-", None]),
                                   ("whole but wrong", b"?" * len(good), [None]),
                                   ("too long", b"?" * (len(good) + 5), [None]),
                                   ("good", good[:20000], ["bytes=20000-"]), ("whole", good, [])):
            place.server.clear()
            with open(place.state("partial", sha256(good)), "wb") as file:
                file.write(rest)
            task = place.sync()
            equal(task.result is not None and place.content(), {sha256(good): good},
                  "an old rest that is %s does no harm" % what)
            equal(place.server.asked("f"), ranges, "and costs what it must")
            os.remove(place.state("content", sha256(good)[:2], sha256(good)[2:]))


def killed(top):
    """Resuming after a hard end."""
    with Place(top, {"big": BIG, "small": b"small"}) as place:
        place.server.clear(big={"hold": True})
        task = place.start()
        partial = place.state("partial", sha256(BIG))
        task.until(lambda e: e["event"] == "progress" and e["code"] == "sync.bytes" and e["done"] >= 1000000)
        task.signal(signal.SIGKILL)
        task.end()
        size = os.stat(partial).st_size
        ok(1000000 <= size < len(BIG), "a partial download is kept (%d bytes)" % size)
        equal(place.latest(), None, "no version is visible")
        place.server.released.set()
        place.server.clear()
        result = place.sync().result
        equal(place.server.asked("big"), ["bytes=%d-" % size], "and is gone on with")
        ok(result["bytes"] <= len(BIG) - size + len(b"small"), "only the rest came over the wire")
        equal(place.content(), {sha256(BIG): BIG, sha256(b"small"): b"small"}, "the whole is right")
        equal(place.unfinished(), [], "nothing is left of it")


def stopped(top):
    """Cancel."""
    with Place(top, {"big": BIG}) as place:
        place.server.clear(big={"hold": True})
        task = place.start()
        task.until(lambda e: e["event"] == "progress" and e["code"] == "sync.bytes" and e["done"] >= 1000000)
        stop(task)
        task.end()
        has(task.failure, "stopped", "a sync stops when it is told to")
        equal(task.report("sync.bytes")["state"], "canceled", "its reports are canceled")
        ok(os.stat(place.state("partial", sha256(BIG))).st_size >= 1000000, "what came is kept")
        place.server.released.set()
        place.server.clear()
        place.server.modes = {"PULP_MANIFEST": {"hold": True}}
        task = place.start()
        place.server.until(lambda: place.server.requests)
        stop(task)
        has(task.end().failure, "stopped", "while it waits for the manifest too")


def together(top):
    """Two tasks, one content."""
    files = {"f%d" % i: b"%d " % i * 3000 for i in range(60)}
    with Place(top, files) as place:
        tasks = [place.start("r%d" % i) for i in range(4)]
        results = [task.end().result for task in tasks]
        equal([result and result["present"] for result in results], [60] * 4, "four syncs of the same files at once")
        equal(place.content(), {sha256(data): data for data in files.values()}, "one store with all of it")
        equal(place.unfinished(), [], "nothing is left over")
        same = [place.start("same") for _ in range(3)]
        equal({task.end().result["version"] for task in same}, {1}, "three syncs of one repository at once: one version")
    with Place(os.path.join(top, "slow"), {"big": BIG}) as place:
        place.server.clear(big={"hold": True})
        slow = place.start("slow")
        slow.until(lambda e: e["event"] == "progress" and e["code"] == "sync.bytes" and e["done"] >= 1000000)
        place.server.modes = {}
        equal(place.sync("fast").result["bytes"], len(BIG), "who finds a content busy to the end fetches it itself")
        place.server.released.set()
        equal(slow.end().result["version"], 1, "and the other is none the worse for it")
        equal(place.content(), {sha256(BIG): BIG}, "one content")
        equal(place.unfinished(), [], "nothing is left over")


def manifests(top):
    """Manifests that are refused, and what of odd ones is taken."""
    sha = sha256(b"x")
    lines = (
        ("/etc/passwd,%s,1" % sha, "line 2: the path is absolute"),
        ("../x,%s,1" % sha, "line 2: the path has a component '..'"),
        ("a/../../x,%s,1" % sha, "line 2: the path has a component '..'"),
        ("a/./x,%s,1" % sha, "line 2: the path has a component '.'"),
        ("a//x,%s,1" % sha, "line 2: the path has an empty component"),
        ("a/,%s,1" % sha, "line 2: the path has an empty component"),
        (",%s,1" % sha, "line 2: the path is empty"),
        ("a\x01b,%s,1" % sha, "line 2: the path has a control character"),
        ("a\x00b,%s,1" % sha, "line 2: the path is not UTF-8"),
        ("a\u0085b,%s,1" % sha, "line 2: the path has a control character"),
        (b"a\xff,%s,1" % sha.encode(), "line 2: the path is not UTF-8"),
        ("%s,%s,1" % ("n" * 256, sha), "line 2: a component of the path is longer than 255 bytes"),
        ("%s,%s,1" % ("/".join(["nnn"] * 600), sha), "line 2: the path is longer than 2048 bytes"),
        ("%s,%s,1" % ("/".join(["n"] * 65), sha), "line 2: the path has more than 64 components"),
        ("%s,%s,1" % ("n" * 5000, sha), "line 2: it is longer than 4096 bytes"),
        ("PULP_MANIFEST,%s,1" % sha, "line 2: the path PULP_MANIFEST is taken"),
        ("first,%s,1" % sha, "line 2: 'first' is there twice, first on line 1"),
        ("first/x,%s,1" % sha, "line 2: 'first/x' needs as a folder what is a file, see line 1"),
        ("a,%s,2" % sha, "line 2: the size is not that of line 1, which has the same sha256"),
        ("a,%s,1" % sha[:-1], "line 2: the sha256 has 63 digits instead of 64"),
        ("a,%sg,1" % sha[:-1], "line 2: the sha256 is not hexadecimal"),
        ("a,%s,-1" % sha, "line 2: the size is negative"),
        ("a,%s,1.5" % sha, "line 2: the size is not a number"),
        ("a,%s," % sha, "line 2: the size is missing"),
        ("a,%s,9223372036854775808" % sha, "line 2: the size is too large"),
        ("<html>", "line 2: it is not 'path,sha256,size'"),
        ("a,%s" % sha, "line 2: it is not 'path,sha256,size'"),
    )
    with Place(top, {"x": b"x"}) as place:
        def put(data):
            with open(os.path.join(place.source, "PULP_MANIFEST"), "wb") as file:
                file.write(data if isinstance(data, bytes) else data.encode())
        for line, text in lines:
            data = line if isinstance(line, bytes) else line.encode()
            put(b"first,%s,1\n" % sha.encode() + data + b"\n")
            has(place.sync().failure, text, text)
        equal((place.latest(), place.content()), (None, {}), "nothing came of them")
        put("# a comment\r\n\n  x , %s , 1 \r\n#,%s,1" % (sha.upper(), sha))
        equal(place.sync().result["present"], 1, "comments, blank lines, CRLF, blanks, upper case, no last newline")
        equal(place.latest(), "x,%s,1\n" % sha, "are written plainly")
        put(b"#" * 4000 + b"\n")
        with open(os.path.join(place.source, "PULP_MANIFEST"), "ab") as file:
            file.truncate((64 << 20) + 1)
        has(place.sync().failure, "it is larger than 64 MiB", "a manifest of more than 64 MiB")


def arguments(top):
    """What is refused before anything happens."""
    url = "http://127.0.0.1:1/PULP_MANIFEST"
    for kwargs, text in (
            ({"url": url}, "argument 'repository' is missing"), ({"repository": "r"}, "argument 'url' is missing"),
            ({"repository": 1, "url": url}, "argument 'repository' must be a string, not a number"),
            ({"repository": "r", "url": [url]}, "argument 'url' must be a string, not an array"),
            ({"repository": "r", "url": url, "mirror": True}, "unknown argument 'mirror'"),
            ({"repository": "r", "url": "ftp://h/PULP_MANIFEST"}, "url: the scheme is ftp"),
            ({"repository": "r", "url": "/tmp/PULP_MANIFEST"}, "url: "),
            ({"repository": "r", "url": ""}, "url: "),
            ({"repository": "r", "url": "http://h/dir/"}, "url: it must name a PULP_MANIFEST, not a folder"),
            ({"repository": "r", "url": "http://user:secret@127.0.0.1:1/404"}, "after 4 attempts")):
        task = run(top, "file", "sync", kwargs)
        has(task.failure, text, text)
        ok("secret" not in (task.failure or ""), "no password in it")
    for name in ("", ".", "..", ".x", "a/b", "a b", "\u00fc", "x" * 101, "-x", "a\0"):
        has(run(top, "file", "sync", {"repository": name, "url": url}).failure, "argument 'repository'",
            "repository %r" % name)


def leftovers(top):
    """What tasks that died have left."""
    with Place(top, {"x": b"x"}) as place:
        os.makedirs(place.state("partial"))
        os.makedirs(place.state("repositories/r/versions/.new.dead"))
        os.makedirs(place.state("repositories/r/versions/7"))
        os.symlink("versions/9", place.state("repositories/r/.latest"))
        for name, age in (("old", 8 * 86400), ("young", 86400)):
            with open(place.state("partial", name), "wb") as file:
                file.write(b"x")
            now = os.stat(file.name).st_mtime
            os.utime(file.name, (now - age, now - age))
        done_before = place.state("partial", sha256(b"x"))
        with open(done_before, "wb") as file:
            file.write(b"x")
        os.chmod(done_before, 0o444)
        equal(place.sync().result["version"], 8, "a version that was made but never linked keeps its number")
        equal(place.unfinished(), ["young"], "old rests are swept, young ones stay")


if not os.path.exists(os.path.join(TOP, "plugins/file/.libs/file.so")):
    plan_skip("built without libcurl")
for name in list(os.environ):
    if name.lower().endswith("_proxy"):
        del os.environ[name]
with folder() as base:
    parts = []
    for part in (first_and_second, file_urls, many, troubles, redirects, tls, huge, corrupted, killed, stopped, together,
                 manifests, arguments, leftovers):
        where = os.path.join(base, part.__name__)
        os.mkdir(where)
        parts.append(functools.partial(part, where))
    run_together(parts)
done()
