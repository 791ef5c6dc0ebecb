"""The prose check finds every listed habit in documents, strings and comments, and passes over code."""

from __future__ import annotations

import pytest

from tools.prose_check import PROSE, Habit, habits, main, problems

WRAPPED = {
    ".md": "# A title\n\n{}\n",
    ".py": '"""Do a thing.\n\n{}\n"""\n',
    ".html": "<p>\n{}</p>\n",
    ".sql": "SELECT 1\n-- {}\n",
    ".yaml": "key: value\n# {}\n",
    ".yml": "key: value  # x\n# {}\n",
    ".toml": "key = 1\n# {}\n",
}
CODE = {
    ".md": ["say `{}` to it\n", "Quoted:\n\n```text\n{}\n```\n", "Quoted:\n\n    {}\n"],
    ".py": ['"""Say ``{}`` to it."""\n'],
    ".html": ["<p title='{}'>fine</p>\n", "{{{{ '{}' }}}}\n"],
    ".sql": ["SELECT '{}'\n"],
    ".yaml": ["key: {}\n"],
    ".yml": ["key: {}\n"],
    ".toml": ["key = '{}'\n"],
}


@pytest.mark.parametrize("habit", habits(), ids=lambda habit: habit.sample)
def test_each_listed_habit_is_found_in_its_sample_alone(habit: Habit) -> None:
    assert problems("x.md", habit.sample + "\n")
    assert problems("x.md", habit.clean + "\n") == []
    assert problems("x.md", f"Write this: {habit.use}.\n") == []


@pytest.mark.parametrize("ending", WRAPPED)
def test_a_habit_is_found_in_the_prose_of_every_kind_of_file_with_line_and_cure(ending: str) -> None:
    assert set(WRAPPED) == set(PROSE)
    (found,) = problems(f"docs/x{ending}", WRAPPED[ending].format("it was hitherto so"))
    line = WRAPPED[ending].split("{}")[0].count("\n") + 1
    assert found.startswith(f"docs/x{ending}:{line}: 'hitherto': use a plain word")


@pytest.mark.parametrize(
    ("ending", "text"), [(ending, text) for ending, texts in CODE.items() for text in texts]
)
def test_code_and_quotations_are_passed_over(ending: str, text: str) -> None:
    assert problems(f"x{ending}", text.format("it was hitherto so")) == []


@pytest.mark.parametrize(
    "text",
    [
        'raise ValueError("hitherto so")\n',
        'raise ValueError(f"{name} is hitherto so")\n',
        'raise ValueError(\n    "it was"\n    " hitherto so"\n)\n',
        "x = 1  # hitherto so\n",
    ],
)
def test_a_habit_is_found_in_messages_and_comments_of_python(text: str) -> None:
    (found,) = problems("x.py", text)
    assert f":{text[: text.index('hitherto')].count(chr(10)) + 1}: " in found


def test_a_phrase_is_found_across_lines_and_across_adjoining_strings() -> None:
    assert problems("x.md", "every call, be\nit again\n")
    assert problems("x.py", 'text = (\n    "every call, be"\n    " it again"\n)\n')
    assert problems("x.py", 'pair = ("to be", "it")\n') == []


@pytest.mark.parametrize("text", ["hitherto = 1\n", 'key = "hitherto"\n', 'text = f"given to {hitherto}"\n'])
def test_names_keys_and_expressions_of_python_are_code(text: str) -> None:
    assert problems("x.py", text) == []


def test_the_project_has_none_of_the_listed_habits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().out
