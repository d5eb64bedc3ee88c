#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""file.publish, called as a task child calls it, with a reader that watches."""
import os
import signal
import stat
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import read_tree, sha256, write_tree  # noqa: E402
from tasks import Task, done, equal, folder, has, ok, plan_skip, run, stop, TOP  # noqa: E402

FILES = {"a.txt": b"alpha", "dir/b c": b"beta", "dir/sub/\u00fc, x": b"gamma", "empty": b"", "z/same": b"alpha"}


def sync(top, files, repository="r"):
    """Makes the repository what files says; returns the manifest."""
    source = tempfile.mkdtemp(dir=top)
    manifest = write_tree(source, files)
    task = run(top, "file", "sync", {"repository": repository, "url": "file://" + source + "/PULP_MANIFEST"})
    ok(task.result is not None, "synced", str(task.failure))
    return manifest


def publish(top, path=None, repository="r", **options):
    """One publication."""
    kwargs = {"repository": repository}
    if path is not None:
        kwargs["path"] = path
    return run(top, "file", "publish", kwargs, **options)


def drafts(path):
    """What stands half-made beside a publication."""
    return [name for name in os.listdir(os.path.dirname(path)) if name.startswith(".")]


def plain(top):
    """The plain way."""
    manifest = sync(top, FILES)
    want = dict(FILES, PULP_MANIFEST=manifest.encode())
    target = os.path.join(top, "pub")
    task = publish(top, target)
    equal(task.result, {"repository": "r", "path": target, "files": 5, "bytes": 19, "version": 1},
          "a first publication")
    equal(read_tree(target), want, "its tree is the source, its manifest too")
    modes = {stat.S_IMODE(os.stat(os.path.join(where, name)).st_mode)
             for where, _, names in os.walk(target) for name in names}
    folders = {stat.S_IMODE(os.stat(where).st_mode) for where, _, _ in os.walk(target)}
    equal((modes, folders), ({0o444}, {0o755}), "files are 0444, folders 0755")
    content = os.path.join(top, "state/content", sha256(b"beta")[:2], sha256(b"beta")[2:])
    ok(os.path.samefile(os.path.join(target, "dir/b c"), content), "files are links to the store")
    equal(drafts(target), [], "nothing stands beside it")
    task = publish(top)
    equal(task.result["path"], os.path.join(top, "state/published/r"), "the default is below the state directory")
    equal(read_tree(task.result["path"]), want, "and the same")
    equal(publish(top, target + "//").result["path"], target, "again, over the first, with slashes at the end")
    manifest = sync(top, {"only": b"this"})
    equal(publish(top, target).result["version"], 2, "a later version replaces it")
    equal(read_tree(target), {"only": b"this", "PULP_MANIFEST": manifest.encode()}, "all of it")
    equal(drafts(target), [], "the old tree is gone")
    sync(top, {})
    publish(top, target)
    equal(read_tree(target), {"PULP_MANIFEST": b""}, "an empty repository is a tree with an empty manifest")
    empty = os.path.join(top, "empty-folder")
    os.mkdir(empty)
    ok(publish(top, empty).result is not None, "an empty folder may be there before")


def refusals(top):
    """What is never done."""
    sync(top, FILES)
    full = os.path.join(top, "full")
    write_tree(full, {"precious": b"mine"})
    has(publish(top, full).failure, full + " is not empty and was not published by this plugin",
        "a folder of somebody else")
    equal(read_tree(full)["precious"], b"mine", "is left alone, even if it has a PULP_MANIFEST")
    target = os.path.join(top, "pub")
    publish(top, target)
    os.rename(target, target + ".bak")
    write_tree(target, {"precious": b"mine"})
    has(publish(top, target).failure, "was not published by this plugin", "one that took the place of a publication too")
    equal(read_tree(target)["precious"], b"mine", "it is left alone")
    with open(os.path.join(top, "file"), "wb"):
        pass
    os.symlink(full, os.path.join(top, "link"))
    os.symlink("nowhere", os.path.join(top, "dangling"))
    for name in ("file", "link", "dangling"):
        has(publish(top, os.path.join(top, name)).failure, "exists and is not a folder", "a " + name)
    for path, text in (("relative", "must be absolute"), ("", "must be absolute"), ("/", "cannot be /"),
                       ("//", "cannot be /"), (top + "/../x", "has a component '..'"),
                       (top + "/./x", "has a component '.'"), (top + "/no/such", "No such file or directory"),
                       (top + "/" + "n" * 250, "last component is too long"), ("/a\0b", "holds a NUL")):
        has(publish(top, path).failure, text, "path %.40r: %s" % (path, text))
    has(publish(top, os.path.join(top, "x"), "nosuch").failure, "repository nosuch has no version: sync it first",
        "a repository that was never synced")
    ok(not os.path.exists(os.path.join(top, "state/repositories/nosuch")), "is not made by asking for it")
    has(run(top, "file", "publish", {}).failure, "argument 'repository' is missing", "no repository")
    has(publish(top, os.path.join(top, "x"), "../r").failure, "argument 'repository'", "a repository that is a path")
    content = os.path.join(top, "state/content", sha256(b"beta")[:2], sha256(b"beta")[2:])
    new = os.path.join(top, "new")
    os.chmod(content, 0o644)
    with open(content, "ab") as file:
        file.write(b"x")
    has(publish(top, new).failure, "dir/b c: its content in the store has 5 bytes instead of 4; sync again",
        "a content of a wrong size")
    os.remove(content)
    has(publish(top, new).failure, "dir/b c: its content is not in the store; sync again", "a content that is missing")
    ok(not os.path.exists(new), "nothing is published then")
    equal([name for name in os.listdir(top) if name.startswith(".")], [], "and nothing left")


def watched(top):
    """A reader never sees a missing or a half tree."""
    target = os.path.join(top, "pub")
    trees = []
    for version in range(2):
        files = {"d%d/f%d" % (i % 5, i): b"v%d" % version for i in range(200)}
        files["same"] = b"%d" % version
        trees.append(files)
    sync(top, trees[0])
    publish(top, target)
    over = threading.Event()
    faults, seen = [], []

    def watch():
        while not over.is_set():
            try:
                handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                faults.append("open: %s" % error)
                continue
            before = sorted(os.listdir(handle))
            # A tree that was replaced is emptied while we look: that it was, shows in its name leading elsewhere.
            try:
                if os.path.samestat(os.stat(target), os.fstat(handle)):
                    seen.append(1)
                    if before != ["PULP_MANIFEST", "d0", "d1", "d2", "d3", "d4", "same"]:
                        faults.append("listing: %r" % before)
            except OSError as error:
                faults.append("stat: %s" % error)
            os.close(handle)

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    failures = []
    for version in range(12):
        source = os.path.join(top, "source-%d" % (version % 2))
        write_tree(source, trees[version % 2])
        run(top, "file", "sync", {"repository": "r", "url": "file://" + source + "/PULP_MANIFEST"})
        failures.append(publish(top, target).failure)
    over.set()
    for thread in threads:
        thread.join()
    equal(failures, [None] * 12, "twelve publications over each other")
    equal(faults[:5], [], "whoever looks finds a whole tree (%d looks)" % len(seen))
    ok(len(seen) > 100, "and many looked")


def elsewhere(top):
    """Another filesystem: copies instead of links."""
    other = "/dev/shm"
    if not os.path.isdir(other) or os.stat(other).st_dev == os.stat(top).st_dev or not os.access(other, os.W_OK):
        print("# no second filesystem to try copies on")
        return
    manifest = sync(top, FILES)
    with tempfile.TemporaryDirectory(dir=other, prefix="pulp-plugins-") as where:
        target = os.path.join(where, "pub")
        for round_ in range(2):
            equal(publish(top, target).failure, None, "on another filesystem, round %d" % round_)
            equal(read_tree(target), dict(FILES, PULP_MANIFEST=manifest.encode()), "the tree is copied")
        equal(stat.S_IMODE(os.stat(os.path.join(target, "a.txt")).st_mode), 0o444, "with mode 0444")


def ended_early(top):
    """Stopped and killed in the middle."""
    sync(top, {"d/f%d" % i: b"%d" % i for i in range(3000)})
    target = os.path.join(top, "pub")
    task = Task(top, "file", "publish", {"repository": "r", "path": target})
    task.until(lambda e: e["event"] == "go")
    stop(task)
    task.end()
    if task.failure:
        has(task.failure, "stopped", "a publication stops when it is told to")
        ok(not os.path.exists(target), "and nothing is there")
    equal(drafts(target), [], "nor beside it")
    task = Task(top, "file", "publish", {"repository": "r", "path": target + "2"})
    task.until(lambda e: e["event"] == "go")
    while not drafts(target) and task.process.poll() is None:
        pass
    task.signal(signal.SIGKILL)
    task.end()
    equal(publish(top, target + "2").failure, None, "after a kill in the middle it publishes again")
    equal(len(read_tree(target + "2")), 3001, "all of it")
    equal(drafts(target), [], "and sweeps what was left")


def at_once(top):
    """Two publications to one path."""
    sync(top, {"d/f%d" % i: b"%d" % i for i in range(2000)})
    target = os.path.join(top, "pub")
    tasks = [Task(top, "file", "publish", {"repository": "r", "path": target}) for _ in range(3)]
    failures = [task.end().failure for task in tasks]
    ok(None in failures and all(f is None or "another task is publishing to " + target in f for f in failures),
       "of several to one path at once those that find it taken say so", repr(failures))
    equal(len(read_tree(target)), 2001, "the tree is whole")
    equal(drafts(target), [], "nothing is left beside it")


if not os.path.exists(os.path.join(TOP, "plugins/file/.libs/file.so")):
    plan_skip("built without libcurl")
with folder() as base:
    for part in (plain, refusals, watched, elsewhere, ended_early, at_once):
        top_ = os.path.join(base, part.__name__)
        os.mkdir(top_)
        part(top_)
done()
