"""Opens the registry of a profile, and moves copies of it to and from files and object stores."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.project.nodes import RegistryPlace
from asknown.registry.read import RegistryReader

_Result = TypeVar("_Result")


def open_registry(place: RegistryPlace) -> RegistryReader:
    """The registry, open for reading. A copy in an object store is fetched first, if it is newer than the last one."""
    if place.fetched is not None and isinstance(place.at, StoreAddress):
        return RegistryReader(RegistryPlace(fetch(place.at, place.fetched), read_only=True))
    return RegistryReader(place)


def publish_registry(place: RegistryPlace) -> str | None:
    """Puts a copy of the registry where ``publish`` says. Returns what fails, and raises nothing: the apply stands."""
    if place.publish is None:
        return None
    from asknown.registry.copy import copy_registry

    try:
        with tempfile.TemporaryDirectory(prefix="asknown-") as folder:
            path = Path(folder) / "registry.db"
            copy_registry(place, path)
            if "://" in place.publish:
                _reach(place.publish, lambda: _upload(path, str(place.publish)))
            else:
                _put(path, Path(place.publish))
    except AsknownError as error:
        return f"the copy of the registry was not published: {error.message}"
    except OSError as error:
        return f"the copy of the registry was not published to {place.publish}: {error.strerror or error}"
    return None


def _put(path: Path, to: Path) -> None:
    """Puts a file where readers look, whole or not at all."""
    new = to.with_name(to.name + ".new")
    shutil.copyfile(path, new)
    new.replace(to)


def _upload(path: Path, url: str) -> None:
    from pyarrow import fs

    system, to = fs.FileSystem.from_uri(url)
    with path.open("rb") as file, system.open_output_stream(to) as out:  # an object store shows the object once closed
        shutil.copyfileobj(file, out, 1 << 20)


def fetch(at: StoreAddress, path: Path) -> Path:
    """The file that the copy in an object store was brought to. Its time and size say whether there is a newer one."""
    return _reach(at.url, lambda: _fetch(at, path))


def _fetch(at: StoreAddress, path: Path) -> Path:
    from pyarrow import fs

    system, place = fs.FileSystem.from_uri(at.url)
    info = system.get_file_info(place)
    if info.type != fs.FileType.File:
        raise AsknownError(
            "registry-write",
            f"there is no copy of a registry at the {at}",
            hint="let the project that writes the registry publish it: publish: URL, under registry: in profiles.yml",
        )
    stamp = path.with_suffix(".stamp")
    version = f"{at.url} {info.mtime_ns} {info.size}"
    if path.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == version:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with system.open_input_stream(place) as source, new.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    with suppress(FileNotFoundError):
        stamp.unlink()
    new.replace(path)
    stamp.write_text(version, encoding="utf-8")
    return path


def _reach(url: str, action: Callable[[], _Result]) -> _Result:
    """The result of ``action``, which reads or writes at ``url``. Its errors become the user's."""
    import pyarrow as pa

    shown = StoreAddress("object_store", url, url.rpartition("/")[2])
    try:
        return action()
    except (pa.ArrowException, OSError) as error:
        said = str(error).partition("\n")[0]
        raise AsknownError("registry-write", f"the {shown} cannot be reached: {said}", hint="see its url") from None
