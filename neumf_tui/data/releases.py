"""The MovieLens releases that can be downloaded from GroupLens."""

from dataclasses import dataclass

BASE = "https://files.grouplens.org/datasets/movielens/"
CITATION = (
    "MovieLens data are for research use and may not be redistributed; the README in the folder "
    "states the terms. Cite: F. M. Harper and J. A. Konstan (2015), The MovieLens Datasets: "
    "History and Context, ACM TiiS 5(4), 19."
)


@dataclass(frozen=True)
class Release:
    """A zip file of GroupLens."""

    name: str
    folder: str
    """The folder in the zip."""
    files: tuple[str, ...]
    """The files that are unpacked."""
    size: int | None
    """Bytes of the zip; None: not known for certain."""
    sha256: str | None
    """None: not known, so the download cannot be checked."""
    about: str

    @property
    def url(self) -> str:
        return f"{BASE}{self.name}.zip"

    @property
    def archive(self) -> str:
        return f"{self.name}.zip"


_CSV = ("ratings.csv", "movies.csv", "links.csv", "tags.csv", "README.txt")
_DAT = ("ratings.dat", "movies.dat")

RELEASES = {
    release.name: release
    for release in (
        Release(
            "ml-100k", "ml-100k",
            ("u.data", "u.item", "u.genre", "u.user", "u.occupation", "u.info", "README"),
            4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            "100,000 ratings, 1998",
        ),
        Release(
            "ml-latest-small", "ml-latest-small", _CSV,
            978_202, "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
            "100,000 ratings, 2018",
        ),
        Release(
            "ml-1m", "ml-1m", (*_DAT, "users.dat", "README"),
            5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            "1 million ratings, 2003",
        ),
        Release(
            "ml-10m", "ml-10M100K", (*_DAT, "README.html"), None, None, "10 million ratings, 2009",
        ),
        Release(
            "ml-20m", "ml-20m", _CSV,
            198_702_078, "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
            "20 million ratings, 2015",
        ),
        Release(
            "ml-25m", "ml-25m", _CSV,
            261_978_986, "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
            "25 million ratings, 2019",
        ),
        Release("ml-32m", "ml-32m", _CSV, None, None, "32 million ratings, 2024"),
    )
}  # fmt: skip
