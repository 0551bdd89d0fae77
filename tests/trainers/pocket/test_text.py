"""The pocket tokenizer: any Unicode text has tokens, known words few of them."""

import pytest
import torch
from transformers import CLIPTokenizer

from trainers.common.text import LENGTH, build_text_encoder, build_tokenizer, caption_ids, tokens
from trainers.pocket import world
from trainers.pocket.captions import vocabulary
from trainers.pocket.pictures import WORDINGS, Drawings
from trainers.pocket.world import describe


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return build_tokenizer(Drawings(1, None, 32, world).corpus())


@pytest.mark.parametrize(
    "text", ["日本の山", "été à l'océan", "🎈🏔", "гора у озера", "\u200bzero width", "a" * 60]
)
def test_any_unicode_text_survives(tokenizer: CLIPTokenizer, text: str):
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")


def test_known_words_are_single_tokens(tokenizer: CLIPTokenizer):
    assert len(tokenizer("a red tent near a beautiful lake").input_ids) == 7 + 2


def test_no_caption_is_cut(tokenizer: CLIPTokenizer):
    assert (
        max(len(ids) for ids in tokenizer([describe(seed)[1].text for seed in range(4000)]).input_ids) <= 32
    )


def test_every_known_word_is_a_token(tokenizer: CLIPTokenizer):
    words = [word for word in vocabulary()["words"] if len(tokenizer(word).input_ids) > 3]
    assert not words


def test_it_is_the_same_after_saving(tokenizer: CLIPTokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    text = "A photograph of a snowy mountain – 富士山"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == LENGTH


def test_long_prompts_are_cut(tokenizer: CLIPTokenizer):
    ids = tokens(tokenizer, ["mountain " * 500, ""])
    assert ids.shape == (2, LENGTH)
    assert build_text_encoder(tokenizer)(ids)[0].shape == (2, LENGTH, 128)


def test_a_scene_is_worded_in_several_ways(tokenizer: CLIPTokenizer):
    ids = caption_ids(tokenizer, Drawings(3, None, 32, world).wordings())
    assert ids.shape == (3, WORDINGS, LENGTH)
    assert all(len({tuple(wording) for wording in scene}) > 1 for scene in ids.tolist())
    assert torch.equal(ids, caption_ids(tokenizer, Drawings(3, None, 32, world).wordings()))
