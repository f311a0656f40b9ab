"""Files as those of PANDA's classifier, of made-up words: the verdict hangs on the words shared with the reference."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier


def write_panda(folder: Path, least: float = 0.25) -> Path:
    """Right is what shares words with the reference at an F1 of at least `least`."""
    vectorizer = TfidfVectorizer().fit(["who wrote hamlet", "it was shakespeare"])
    columns = len(vectorizer.vocabulary_) + 3
    classifier = SGDClassifier(loss="log_loss", max_iter=5, tol=None).fit(np.eye(2, columns), ["correct", "incorrect"])
    classifier.coef_ = np.zeros((1, columns))
    classifier.coef_[0, -3] = -1.0
    classifier.intercept_ = np.array([least])
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(classifier, folder / "lr_classifier")
    joblib.dump(vectorizer, folder / "tf-idf_vectorizer")
    return folder
