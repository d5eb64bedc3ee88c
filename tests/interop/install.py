# SPDX-License-Identifier: MIT
"""A real pulpcore from PyPI, below build/interop: installed once, migrated once.

    VERSION/venv       the virtual environment
    VERSION/pulp.sql   a migrated database with an administrator, as text

Runs nothing of Pulp but the installer and "migrate".
"""
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys

import pulpdb

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.environ["top_builddir"], "interop")
ADMIN, PASSWORD = "admin", "pulp-interop"
# Of these tests alone; the same always, so that a kept database can be read.
KEY = "fFmQgIkiqdmOy1pHKtF5CeNxCkxKY3brOwpbqRa5ZvU="
SETTINGS = """\
SECRET_KEY = "of the tests of pulp-worker"
DB_ENCRYPTION_KEY = "{dir}/key"
DEPLOY_ROOT = "{dir}"
MEDIA_ROOT = "{dir}/media"
STATIC_ROOT = "{dir}/assets"
WORKING_DIRECTORY = "{dir}/tmp"
FILE_UPLOAD_TEMP_DIR = "{dir}/tmp"
CONTENT_ORIGIN = "http://127.0.0.1:24816"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{db}", "USER": "{user}",
                           "HOST": "{host}", "PORT": "{port}"}}}}
CACHE_ENABLED = False
ANALYTICS = False
ORPHAN_PROTECTION_TIME = 0
TASK_DIAGNOSTICS = ["memory"]
DOMAIN_ENABLED = True
LOGGING = {{"dynaconf_merge": True, "handlers": {{"console": {{"level": "DEBUG"}}}},
            "loggers": {{"pulpcore.tasking.worker": {{"level": "DEBUG"}}}}}}
"""


def version_of(which):
    """newest or oldest, of the file versions: which pulpcore, and what pip shall install."""
    with open(HERE + "/versions") as file:
        for line in file:
            words = line.split()
            if words and words[0] == which:
                return words[1], ["pulpcore==" + words[1], "pulp-cli==" + words[2]] + words[3:]
    sys.exit("Bail out! no such version: " + which)


def run(*command, **kw):
    """Shows what it said only if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False, **kw)
    if done.returncode:
        pulpdb.diag(done.stdout[-4000:])
        print("Bail out! %s failed: %d" % (os.path.basename(command[0]), done.returncode), flush=True)
        sys.exit(99)
    return done.stdout


@contextlib.contextmanager
def locked(version):
    """One at a time prepares a version."""
    os.makedirs(os.path.join(BUILD, version), exist_ok=True)
    with open(os.path.join(BUILD, version, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield os.path.join(BUILD, version)


def pip_install(which):
    """The folder of the environment."""
    version, wanted = version_of(which)
    with locked(version) as folder:
        venv, done = folder + "/venv", folder + "/venv/installed"
        wanted = " ".join(wanted)
        if not os.path.exists(done) or open(done).read() != wanted:
            pulpdb.diag("pip install %s" % wanted)
            shutil.rmtree(venv, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(folder + "/pulp.sql")
            run("/usr/bin/python3", "-m", "venv", venv)
            run(venv + "/bin/pip", "install", "--quiet", "--no-cache-dir", *wanted.split())
            with open(done, "w") as file:
                file.write(wanted)
    return venv


def reachable(account, path):
    """Can the account that runs the tests' programs read there?"""
    done = subprocess.run(["/usr/bin/test", "-r", path], check=False, **account)
    return done.returncode == 0


def environment_for(account, which):
    """The environment where the account can read it: the build folder may lie below one of root's own."""
    venv = pip_install(which)
    if reachable(account, venv + "/installed"):
        return venv
    copy = os.path.join(os.environ["TEST_DIR"], "venv-" + which)
    if not os.path.exists(copy):
        shutil.copytree(venv, copy, symlinks=True)
        os.chmod(copy, 0o755)
    return copy


def configure(folder, db):
    """Writes the settings and the key of a Pulp that lives in this folder."""
    for name in "media", "assets", "tmp":
        os.mkdir(os.path.join(folder, name))
    with open(folder + "/key", "w") as file:
        file.write(KEY + "\n")
    with open(folder + "/settings.py", "w") as file:
        file.write(SETTINGS.format(dir=folder, db=db, user=os.environ["PGUSER"], host=os.environ["PGHOST"],
                                   port=os.environ["PGPORT"]))


def environment(folder):
    """What programs of Pulp get: nothing of ours."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PULP_", "PG", "PIP_", "TEST_"))}
    env.update(HOME=folder, XDG_RUNTIME_DIR=folder, XDG_CONFIG_HOME=folder + "/.config", XDG_CACHE_HOME=folder + "/.cache",
               TMPDIR=folder + "/tmp", PULP_SETTINGS=folder + "/settings.py", PYTHONDONTWRITEBYTECODE="1",
               DJANGO_SETTINGS_MODULE="pulpcore.app.settings")
    return env


def program(venv, name, *arguments):
    """A program of the environment, which may be a copy: never by its first line."""
    return [venv + "/bin/python", venv + "/bin/" + name, *arguments]


def migrated(which, venv, account, folder):
    """The file with a migrated database."""
    version, _ = version_of(which)
    with locked(version) as kept:
        path = kept + "/pulp.sql"
        if not os.path.exists(path):
            pulpdb.diag("migrate %s" % version)
            db = "migrate_" + which
            s = pulpdb.Session("postgres")
            s.q("create database " + db)
            s.close()
            configure(folder, db)
            subprocess.run(["chown", "-R", "--reference=" + folder, "--", folder], check=True)
            env = environment(folder)
            run(*program(venv, "pulpcore-manager", "migrate", "--no-input"), env=env, cwd=folder, **account)
            run(*program(venv, "pulpcore-manager", "reset-admin-password", "--password", PASSWORD), env=env, cwd=folder,
                **account)
            run("pg_dump", "--no-owner", "-f", path + ".new", db)
            os.rename(path + ".new", path)
            pulpdb.drop(db)
    return path
