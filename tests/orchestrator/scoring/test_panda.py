"""PANDA by files that scikit-learn wrote here: our verdicts against its own, and what a file must not do."""

from __future__ import annotations

import itertools
import os
import pickle
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import contractions
import joblib
import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from omnigap_orchestrator.scoring.panda import Panda, PandaError, panda_digest

# fmt: off
WORDS = (
    "the", "a", "an", "river", "mountain", "capital", "of", "Peru", "Lima", "who", "wrote", "Hamlet", "Shakespeare",
    "isn't", "it's", "don't", "1939", "17", "million", "author", "largest", "city", "can't", "I'm", "sure", "think",
    "answer", "x", "café", "naïve", "gonna",
)
# fmt: on
QUESTIONS = ("Who wrote Hamlet?", "What's the capital of Peru?", "Isn't it a river, an old one?")


def sentence(draw: random.Random, longest: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, longest)))


@dataclass(frozen=True)
class Trained:
    """What scikit-learn fitted, and the folder that it was dumped to."""

    folder: Path
    vectorizer: TfidfVectorizer
    classifier: SGDClassifier

    def value(self, said: str, reference: str, question: str, shared: tuple[float, float, float]) -> float:
        """scikit-learn's own decision value, of texts without punctuation and articles."""
        texts = self.vectorizer.transform([f"[CLS] {said} [SEP] {reference} [SEP] {question} [SEP]"])
        return float(self.classifier.decision_function(hstack([texts, np.array([shared])]).tocsr())[0])


def train(folder: Path, **settings: object) -> Trained:
    """A vectorizer and a classifier of made-up sentences."""
    draw = random.Random(11)
    texts = [f"[CLS] {sentence(draw, 6)} [SEP] {sentence(draw, 3)} [SEP]" for _ in range(200)]
    vectorizer = TfidfVectorizer(**settings)
    features = hstack([vectorizer.fit_transform(texts), np.array([[draw.random()] * 3 for _ in texts])]).tocsr()
    labels = [draw.choice(["correct", "incorrect"]) for _ in texts]
    classifier = SGDClassifier(loss="log_loss", random_state=3).fit(features, labels)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(classifier, folder / "lr_classifier")
    joblib.dump(vectorizer, folder / "tf-idf_vectorizer")
    return Trained(folder, vectorizer, classifier)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("panda"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ngram_range": (1, 3), "sublinear_tf": True},
        {"norm": "l1", "lowercase": False, "token_pattern": r"(?u)\b\w+\b"},
        {"norm": None, "use_idf": False, "ngram_range": (2, 2)},
    ],
)
def test_values_and_verdicts_are_those_of_scikit_learn(tmp_path: Path, settings: dict[str, object]) -> None:
    trained = train(tmp_path, **settings)
    panda, draw = Panda.load(tmp_path), random.Random(5)
    verdicts = set()
    for _ in range(150):
        # No articles and no contractions here: what is shared can be counted in the test's own way.
        ours, gold = (
            {w.lower() for w in sentence(draw, n).split() if w not in ("the", "a", "an") and "'" not in w} - {"gonna"}
            for n in (7, 3)
        )
        if not ours or not gold or gold <= ours:
            continue
        both = len(ours & gold)
        precision, recall = both / len(ours), both / len(gold)
        shared = (2 * precision * recall / (precision + recall) if both else 0.0, precision, recall)
        said, reference = " ".join(sorted(ours)), " ".join(sorted(gold))
        theirs = trained.value(said, reference, "who wrote hamlet", shared)
        assert panda.value(reference.title(), f"{said}!", QUESTIONS[0]) == pytest.approx(theirs, abs=1e-12)
        verdict = panda.judge([reference], said, QUESTIONS[0])
        assert verdict == (trained.classifier.classes_[int(theirs > 0)] == "correct")
        verdicts.add(verdict)
    assert verdicts == {True, False}


def test_contractions_are_spelt_out_in_the_question_and_in_what_is_shared(trained: Trained) -> None:
    panda = Panda.load(trained.folder)
    # In the texts punctuation goes first, and what is left of a contraction is spelt out in the question alone.
    assert contractions.fix("isnt") == "is not"
    shared = (2 * (1 / 3) * (1 / 3) / (2 / 3), 1 / 3, 1 / 3)
    theirs = trained.value("isnt lima", "not sure answer", "is not it river old one", shared)
    assert panda.value("not sure, the answer", "Isn't Lima?", "Isn't it a river, an old one?") == pytest.approx(theirs)


def test_a_reference_that_stands_in_the_answer_is_right_whatever_the_classifier_says(trained: Trained) -> None:
    panda = Panda.load(trained.folder)
    for question, reference in itertools.product(QUESTIONS, ("Shakespeare", "the Shakespeare!", "shake")):
        assert panda.judge(["Lima", reference], "It was Shakespeare.", question)
    assert not panda.judge([], "It was Shakespeare.", QUESTIONS[0])


def test_an_accent_of_its_own_belongs_to_its_letter(trained: Trained) -> None:
    """`a` and U+0301: a letter, and no article."""
    panda = Panda.load(trained.folder)
    assert panda.judge(["a\u0301"], "vis a\u0301 vis", QUESTIONS[0])
    assert panda.judge(["vis vis"], "vis a vis", QUESTIONS[0])


def test_any_of_several_references_will_do(trained: Trained) -> None:
    panda, draw = Panda.load(trained.folder), random.Random(9)
    seen = set()
    for _ in range(60):
        said, golds = sentence(draw, 5), [sentence(draw, 3) for _ in range(3)]
        each = [panda.judge([gold], said, QUESTIONS[1]) for gold in golds]
        assert panda.judge(golds, said, QUESTIONS[1]) == any(each)
        seen.add(sum(each))
    assert len(seen) > 2


def test_files_may_end_in_pkl_and_the_digest_tells_them_apart(trained: Trained, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    for name in ("lr_classifier", "tf-idf_vectorizer"):
        shutil.copy(trained.folder / name, named / f"{name}.pkl")
    assert Panda.load(named).digest == Panda.load(trained.folder).digest == panda_digest(trained.folder)
    assert panda_digest(train(tmp_path / "other", ngram_range=(1, 2)).folder) != panda_digest(trained.folder)


class Shell:
    """What a pickle can do to whoever loads it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("hidden", ["bare", "attribute", "objects"])
@pytest.mark.parametrize("name", ["lr_classifier", "tf-idf_vectorizer"])
def test_a_pickle_that_runs_a_command_is_refused_and_nothing_runs(
    trained: Trained, tmp_path: Path, name: str, hidden: str
) -> None:
    folder, trace = tmp_path / "files", tmp_path / "ran"
    shutil.copytree(trained.folder, folder)
    shell = Shell(f"echo > {trace}")
    bad = joblib.load(folder / name)
    # joblib reads an array of objects by a plain pickle of its own.
    bad.extra = np.array([shell, None], dtype=object) if hidden == "objects" else shell
    joblib.dump(shell if hidden == "bare" else bad, folder / name)
    told = r"array of 'O8'" if hidden == "objects" else r"(posix|nt)\.system"
    with pytest.raises(PandaError, match=rf"{name} .*{told}, which is not let through"):
        Panda.load(folder)
    assert not trace.exists()
    joblib.load(folder / name)
    assert trace.exists(), "the file would have run it"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no uncompressed joblib file"),
        (b"<!DOCTYPE html><html>not found</html>", "no uncompressed joblib file"),
        (pickle.dumps({"coef_": 1}), "holds a dict"),
        (b"\x80\x04cbuiltins\neval\n.", r"builtins\.eval, which is not let through"),
        (b"\x80\x02\x82\x07.", "extension code 7"),
        (b"\x80\x04\x8c\x01aQ.", "refers to 'a' outside of it"),
    ],
)
def test_what_is_no_such_file_is_refused(trained: Trained, tmp_path: Path, data: bytes, why: str) -> None:
    folder = tmp_path / "files"
    shutil.copytree(trained.folder, folder)
    (folder / "lr_classifier").write_bytes(data)
    with pytest.raises(PandaError, match=why):
        Panda.load(folder)


def test_a_file_that_was_cut_off_is_refused(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    shutil.copytree(trained.folder, folder)
    whole = (folder / "lr_classifier").read_bytes()
    start = whole.index(np.ascontiguousarray(trained.classifier.coef_).tobytes())
    (folder / "lr_classifier").write_bytes(whole[: start + 40])
    with pytest.raises(PandaError, match="lr_classifier ends inside an array"):
        Panda.load(folder)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"analyzer": "char"}, "analyzer = 'char'"),
        ({"stop_words": ["river"]}, "stop_words"),
        ({"strip_accents": "unicode"}, "strip_accents = 'unicode'"),
        ({"binary": True}, "binary = True"),
        ({"dtype": np.float32}, r"numpy\.float32"),
    ],
)
def test_settings_that_are_not_known_here_are_refused(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    train(tmp_path, **settings)
    with pytest.raises(PandaError, match=why):
        Panda.load(tmp_path)


def test_files_of_two_releases_do_not_go_together(trained: Trained, tmp_path: Path) -> None:
    train(tmp_path, ngram_range=(1, 2))
    shutil.copy(trained.folder / "lr_classifier", tmp_path)
    with pytest.raises(PandaError, match=r"has slopes for \d+ columns, and the vectorizer beside it makes"):
        Panda.load(tmp_path)


def test_a_missing_file_is_named(trained: Trained, tmp_path: Path) -> None:
    shutil.copy(trained.folder / "lr_classifier", tmp_path)
    with pytest.raises(PandaError, match=r"neither tf-idf_vectorizer nor tf-idf_vectorizer\.pkl"):
        Panda.load(tmp_path)


@pytest.mark.parametrize("package", ["contractions", "regex"])
def test_a_missing_package_names_the_extra(trained: Trained, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PandaError, match=rf"needs the package {package}.*pip install 'omnigap\[panda\]'"):
        Panda.load(trained.folder)
