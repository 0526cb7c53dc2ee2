"""A bare Debian in a folder, and container images without a container engine.

Needs root, debootstrap and buildah. Everything is made below $WEIR_CACHE.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

from cluster import CACHE

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOKWORM, TRIXIE = "bookworm", "trixie"  # Debian 12, and 13, which the image is made of
# How this machine reaches its package servers is how the other one does.
PASSED_ON = re.compile(r"(?i)^(PIP_.*|.*_PROXY|GOPROXY|GOSUMDB|SSL_CERT_FILE|MAVEN_OPTS)$")
BUILDAH = ["buildah", "--storage-driver", "overlay", "--root", str(CACHE / "images"),
           "--runroot", str(CACHE / "images-run")]


def run(*command, check=True, **options):
    return subprocess.run([str(each) for each in command], check=check, stdin=subprocess.DEVNULL,
                          **options)


def mirror():
    """Where this machine's own packages come from."""
    for path in [pathlib.Path("/etc/apt/sources.list"),
                 *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.is_file():
            found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?)\s+(\S+/debian/?)\s*", path.read_text(), re.M)
            if found:
                return found.group(1)
    raise RuntimeError("no Debian mirror in /etc/apt")


def bare_system(suite):
    """A folder with a minimal Debian; made once, to be copied and not changed."""
    folder = CACHE / f"debian-{suite}"
    if not (folder / "etc/debian_version").exists() or (folder / "debootstrap").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", suite, folder, mirror(),
            stdout=subprocess.DEVNULL)
    # The certificates that this machine trusts; Java makes its own list of them when it is installed.
    for certificate in pathlib.Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, folder / "usr/local/share/ca-certificates")
    run("chroot", folder, "update-ca-certificates", stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return folder


@contextlib.contextmanager
def machine(folder, suite):
    """A copy of the bare system in `folder`, as a function that runs a shell command in it as root
    (its `root` is the folder). It is gone at the end."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--reflink=auto", f"{bare_system(suite)}/.", folder)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", folder / "etc" / name)
    mounts = [folder / "proc", folder / "dev"]
    run("mount", "-t", "proc", "proc", mounts[0])
    run("mount", "--rbind", "--make-rslave", "/dev", mounts[1])
    environment = {key: value for key, value in os.environ.items() if PASSED_ON.match(key)}
    environment.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", TERM="dumb")

    def shell(command, **options):
        return run("chroot", folder, "bash", "-c", command, env=environment, **options)

    shell.root = folder
    try:
        yield shell
    finally:
        for each in reversed(mounts):
            run("umount", "-R", "-l", each)
        run("rm", "-rf", "--one-file-system", folder)


def copy_sources(folder):
    """The tree as it is now, without what is ignored; the evidence as it was committed, as that is what the tables of
    the documentation were made from."""
    files = run("git", "ls-files", "-co", "--exclude-standard", "-z", ":!docs/evidence", cwd=ROOT, capture_output=True)
    for name in files.stdout.decode().split("\0"):
        source, target = ROOT / name, pathlib.Path(folder) / name
        if name and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    evidence = run("git", "archive", "HEAD", "docs/evidence", cwd=ROOT, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(evidence.stdout)) as archive:
        archive.extractall(folder)


def base_image():
    """The bare system as debian:trixie-slim, under the name that a Dockerfile's FROM resolves to."""
    name = f"docker.io/library/debian:{TRIXIE}-slim"
    if subprocess.run([*BUILDAH, "images", "-q", name], capture_output=True, check=False).stdout:
        return name
    context = CACHE / "base-image"
    context.mkdir(exist_ok=True)
    run("tar", "-C", bare_system(TRIXIE), "--exclude=./var/cache/apt/archives/*.deb",
        "--exclude=./var/lib/apt/lists/*", "--exclude=./usr/share/doc", "--exclude=./usr/share/man",
        "--exclude=./usr/share/locale", "-czf", context / "root.tar.gz", ".")
    (context / "Containerfile").write_text('FROM scratch\nADD root.tar.gz /\nCMD ["bash"]\n')
    run(*BUILDAH, "bud", "--isolation", "chroot", "-f", context / "Containerfile", "-t", name, context,
        stdout=subprocess.DEVNULL)
    return name


def build_image(name):
    """Makes the image of the Dockerfile, unchanged; returns its size as text."""
    base_image()
    run(*BUILDAH, "bud", "--isolation", "chroot", "--layers", "--pull-never", "-t", name, ROOT)
    described = run(*BUILDAH, "images", "--json", name, capture_output=True, text=True).stdout
    return json.loads(described)[0]["size"]


@contextlib.contextmanager
def read_only_root(image):
    """The image's files in a folder, to be used with `contained`."""
    container = run(*BUILDAH, "from", "--pull-never", image, capture_output=True, text=True).stdout.strip()
    try:
        yield pathlib.Path(run(*BUILDAH, "mount", container, capture_output=True,
                               text=True).stdout.strip())
    finally:
        run(*BUILDAH, "rm", container, stdout=subprocess.DEVNULL)


def contained(root, state, files, command):
    """The arguments that run `command` in the image as its user: a read-only root, `state` as the
    volume, `files` (a folder) read-only in /etc/weir. Mounts end with the process."""
    script = """set -e
        mount --bind "$1" "$1"
        mount --bind "$2" "$1/var/lib/weir"
        mkdir -p "$1/etc/weir"
        mount --bind "$3" "$1/etc/weir"
        mount -o remount,bind,ro "$1/etc/weir"
        mount -o remount,bind,ro "$1"
        mount -t proc proc "$1/proc"
        root=$1
        shift 3
        exec chroot --userspec=65532:65532 --groups= "$root" "$@" """
    return ["unshare", "-m", "bash", "-c", script, "contained", root, state, files, *command]
