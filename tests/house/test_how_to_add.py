"""Every section "How to add ..." of `raysernas/README.md` is carried out, so that the page cannot go stale.

The format of a section:

    ## How to add an arm            any level; arm, relaxation, operation, front end, ...

    Free text between the blocks.

    ```python
    # raysernas/arms/toy.py
    The first line names the file. Without a name behind it, the rest of the block is a new file.
    ```

    ```python
    # raysernas/arms/members.py, in ARMS
    from raysernas.arms import toy
    "toy": toy.TOY,
    ```

    With `, in NAME` the lines become the first entries of the literal that is assigned to NAME at the top
    level of that file: `{...}`, `(...)`, `[...]`, also as the argument of a call, or `Literal[...]`. Lines
    that begin with `from` or `import` go to the imports of the file. Any number of python blocks.

    ```sh
    python -m raysernas.trial laptop arm=toy study.storage=results retrain.epochs=1
    ```

    Exactly one sh block. It runs in bash, in an empty folder, with the changed copy first in PYTHONPATH. It
    must exit with 0 and leave exactly one record (`trials/*.parquet`) in that folder or below it.

    The record then says `arm = toy`, and `test_ua` has a value.

The last line of the section says what the record holds: `column = value` for a column with this value
(compared as text), `column` alone for one that is not empty. Blocks in other languages (`yaml`) are prose.
"""

import ast
from pathlib import Path

import pytest

from tests.support.recipes import ROOT, Edit, Recipe, apply, carry_out, recipes

PAGE = ROOT / "raysernas" / "README.md"
RECIPES = list(recipes(PAGE.read_text(encoding="utf-8"))) if PAGE.exists() else []
FAMILIES = {"arm", "relaxation", "operation", "front end", "set of functionals", "corpus reader", "metric"}

TOY_PAGE = """
# A page

## How to add a toy

First a table, then a toy in it.

```python
# raysernas/toys.py
\"\"\"All toys.\"\"\"

TOYS: dict[str, object] = {"ball": 1}
```

```python
# raysernas/toy.py
NAME = "top"
```

```python
# raysernas/toys.py, in TOYS
from raysernas import toy
toy.NAME: 2,
```

```sh
# a comment, no heading
mkdir trials
python -c "
import pandas, raysernas.toys
pandas.DataFrame({'names': [' '.join(raysernas.toys.TOYS)], 'count': [2]}).to_parquet('trials/one.parquet')
"
```

The record holds `names = top ball` and a `count`.

## Another section

`nothing`
"""


def test_the_page_has_a_section_for_each_family() -> None:
    assert {recipe.what for recipe in RECIPES} >= FAMILIES


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.what)
def test_a_section_does_what_it_says(recipe: Recipe, tmp_path: Path) -> None:
    carry_out(recipe, tmp_path)


def test_a_section_is_read_applied_and_run(tmp_path: Path) -> None:
    (recipe,) = recipes(TOY_PAGE)
    assert (recipe.what, recipe.columns) == ("toy", {"names": "top ball", "count": None})
    carry_out(recipe, tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (TOY_PAGE.replace("= top ball", "= ball"), "names is top ball"),
        (TOY_PAGE.replace("a `count`", "a `price`"), "no column price"),
        (TOY_PAGE.replace("mkdir trials", "exit 3"), "exit code 3"),
        (TOY_PAGE.replace("in TOYS", "in GAMES"), "nothing is assigned to GAMES"),
        (TOY_PAGE.replace("# raysernas/toy.py\n", ""), "names its file"),
    ],
)
def test_a_section_that_is_wrong_fails(broken: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=message):
        carry_out(next(recipes(broken)), tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A = {1: 2}", "A = {9: 9, 1: 2}"),
        ("A: dict[int, int] = {\n    1: 2,\n}", "A: dict[int, int] = {9: 9, 1: 2}"),
        ("A = frozen({1: 2})", "A = frozen({9: 9, 1: 2})"),
        ("A = (1, 2)", "A = (9, 1, 2)"),
        ("A = [1]", "A = [9, 1]"),
        ("A = {1, 2}", "A = {9, 1, 2}"),
        ("A = Literal[1, 2]", "A = Literal[9, 1, 2]"),
        ('É = "é"; A = [1]', 'É = "é"; A = [9, 1]'),
    ],
)
def test_a_line_becomes_the_first_entry(before: str, after: str, tmp_path: Path) -> None:
    line = "9: 9," if ": 2" in before else "9,"
    (tmp_path / "a.py").write_text(f'"""Doc."""\n{before}\n', encoding="utf-8")
    apply(Edit("a.py", "A", ("import os", line)), tmp_path)
    changed = (tmp_path / "a.py").read_text(encoding="utf-8")
    assert ast.unparse(ast.parse(changed)) == ast.unparse(ast.parse(f'"""Doc."""\nimport os\n{after}'))
