from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

_Progress = Callable[[str, int, int, int | None], object]

__version__: str

def run(args: Sequence[str], progress: _Progress | None = None) -> tuple[str, list[str]]: ...
def near_duplicates(
    texts: Sequence[str],
    threshold: float | None = None,
    expected_neighbours: float | None = None,
    model: str | None = None,
    progress: _Progress | None = None,
) -> list[list[int]]: ...
def embed(
    texts: Sequence[str], model: str | None = None, progress: _Progress | None = None
) -> npt.NDArray[np.float32]: ...

class Table:
    @staticmethod
    def of_json(json: str, place: str) -> Table: ...
    @property
    def column_names(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class Store:
    def __init__(self, dir: str, key: str | None = None, model: str | None = None) -> None: ...
    def similar(
        self,
        text: str | None = None,
        exchange_id: str | None = None,
        k: int = 10,
        since: str | None = None,
        until: str | None = None,
        account: str | None = None,
        served_model: str | None = None,
        family: str | None = None,
    ) -> str: ...
    def family(self, id: str) -> str: ...
    def account(self, account: str) -> str: ...
    def export(self, what: str, level: str | None = None) -> Table: ...

class Planter:
    def __init__(self, key_file: str, path: str | None = None, root: str | None = None) -> None: ...
    @property
    def key_id(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def vocab_size(self) -> int: ...
    def mark(
        self,
        ids: npt.NDArray[np.int64],
        prompt: int,
        skip: Sequence[int],
        scores: npt.NDArray[np.float32],
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
        how: str,
    ) -> None: ...
    def plant(
        self,
        logits: npt.NDArray[np.float32],
        prompt: Sequence[int],
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
    ) -> list[int]: ...

class Request:
    def __init__(
        self,
        planter: Planter,
        prompt: Sequence[int],
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        how: str = "drawn",
    ) -> None: ...
    def __len__(self) -> int: ...
    def extend(self, tokens: Sequence[int]) -> None: ...
    def truncate(self, n: int) -> None: ...

def mark_rows(requests: Sequence[Request | None], scores: npt.NDArray[np.float32]) -> None: ...
