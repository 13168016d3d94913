"""Validation: other people than those trained on, and scores that can be read."""

from pg2.data.prepared import PreparedDataset
from pg2.training.recipe import load_recipe
from pg2.training.validation import split_validation


def test_validation_people_are_not_trained_on(tiny: PreparedDataset) -> None:
    recipe = load_recipe("debug", ["data.validation_people=2", "data.validation_pairs=100"])
    pairs, held_out = split_validation(tiny, recipe)

    def people(chosen: list[tuple[int, int]]) -> set[str]:
        return {tiny.records[index].person for pair in chosen for index in pair}

    training = people([pairs[number] for number in range(len(pairs))])
    assert len(people(held_out)) == 2
    assert len(training) == 4
    assert not training & people(held_out)
    assert {tiny.records[i].split for pair in held_out for i in pair} == {"train"}
