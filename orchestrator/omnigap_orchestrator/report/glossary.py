"""Glossary of the report: the definitions behind the question marks of tables and charts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry; `key` is what columns refer to."""

    key: str
    term: str
    text: str


_ALL = (
    Definition(
        "accuracy",
        "Accuracy",
        "Mean score of the answered items of a condition, in percent. A score lies between 0 and 1; for most answer "
        "types it is 0 or 1. A spoken answer is transcribed by the ASR scorer and scored with the same metric as a "
        "text answer.",
    ),
    Definition(
        "gap",
        "Gap",
        "Mean over items of the score in a condition minus the score of the same item and model in t2t (text question, "
        "text answer). Always paired by item, in percentage points; negative is a loss.",
    ),
    Definition(
        "condition",
        "Condition",
        "An input and an output modality: t is text, s speech, i image; s2t is a spoken question with a text answer. "
        "In s2t and i2t the question is not given as text.",
    ),
    Definition(
        "interval",
        "Interval",
        "Confidence interval at the level given in the methods. The method depends on the data and is named in the "
        "table: cluster-robust Student t if there are enough clusters and discordant pairs, otherwise score intervals "
        "or bootstraps.",
    ),
    Definition(
        "n",
        "n",
        "Number of items; for gaps and effects, number of pairs of answers to the same item. Replicates of an item "
        "are averaged first and do not add to n.",
    ),
    Definition(
        "bc",
        "b and c",
        "Discordant pairs: b items are right in t2t and wrong in this condition, c items are wrong in t2t and right in "
        "this condition. Only for scores of 0 or 1 with one replicate.",
    ),
    Definition(
        "sign_flip",
        "p",
        "Sign-flip test over clusters: the share of all choices of signs of the clusters' differences whose sum is at "
        "least as large. For scores of 0 or 1 and clusters of one item it is the exact McNemar test over b and c. "
        "Where the interval contains 0 although the test rejects, p is the interval's.",
    ),
    Definition(
        "holm",
        "p adjusted",
        "Adjusted for the other tests of the family: Holm over the gaps and main effects of one model, which the first "
        "screen speaks of, and over its interactions and its other simple effects; Benjamini-Hochberg over the "
        "exploratory grid of model x task x condition. The table names the family. A contrast has the same adjusted p "
        "in every table. p over models: Holm over the same tests of all models.",
    ),
    Definition(
        "source",
        "Scored text",
        "A spoken answer is scored by the model's own text, which it gives with its speech, or by the transcript of "
        "our ASR. The transcript minus the own text is what speech synthesis and our ASR change; it is no part of the "
        "gaps. A model that does not give its text with practically every answer is scored by its transcripts.",
    ),
    Definition(
        "effects",
        "Effects",
        "Input effect of speech: mean of s2t - t2t and s2s - t2s; of image likewise. Output effect of speech: mean of "
        "x2s - x2t over the three inputs. Interaction: how much more an input costs if the answer is spoken, "
        "(s2s - s2t) - (t2s - t2t).",
    ),
    Definition(
        "pooling",
        "Pooling",
        "Item-weighted: every item has the same weight. Task-macro: mean of the task means, so every task has the same "
        "weight.",
    ),
    Definition(
        "missing",
        "Missing cells",
        "A cell that failed or is pending is missing: it is neither wrong nor ignored. Gaps are computed on answered "
        "pairs, computed again with missing answers scored as wrong, and bounded: the bounds are the gap if every "
        "missing score had its worst or its best possible value.",
    ),
    Definition(
        "outcomes",
        "Outcomes",
        "Answered: the model returned an answer, right or wrong. Unsupported: the model declares that it does not "
        "support the condition. Failed: an error after all retries. Pending: not run yet. "
        "Planned = answered + failed + pending.",
    ),
    Definition(
        "wer",
        "WER",
        "Word error rate of the ASR transcript against the model's own text of the same answer: total errors over "
        "total words. It includes the errors of speech synthesis and of the ASR scorer. Both texts are normalised "
        "first: by omnigap's normaliser, or in WER (Whisper) by Whisper's, which most papers use. omnigap's leaves out "
        "articles, reads more numbers, dates and spellings as equal, and counts Korean by syllable.",
    ),
    Definition(
        "coverage",
        "Coverage",
        "Share of the reference words that the ASR scorer transcribed as something, right or wrong: 100 % minus the "
        "deleted words, pooled. Audio that stops before the end of its text has a low coverage.",
    ),
    Definition(
        "asr",
        "ASR diagnostics",
        "Measures that the ASR scorer reports for each transcript. Average log probability: closer to 0 is more "
        "confident. No-speech probability: how likely the audio contains no speech. Compression ratio: above about "
        "2.4 a transcript repeats itself.",
    ),
    Definition(
        "q",
        "q1 and q0",
        "q1: how often the transcript of a spoken gold answer is scored right. q0: how often the transcript of a "
        "spoken wrong answer is scored wrong. Both by answer type, from synthetic speech. Clips of the same text form "
        "one cluster: a voice says a letter the same way for every item.",
    ),
    Definition(
        "confusables",
        "Distractors and confusables",
        "The wrong answers of the calibration. Distractor: the answer of another item of the same type. Confusable: "
        "the wrong answer that sounds most similar, such as 30 for 13 or D for B. The model's own wrong answers lie "
        "between the two.",
    ),
    Definition(
        "corrected",
        "Corrected",
        "(raw + q0 - 1) / (q0 + q1 - 1), the estimator of Rogan and Gladen, with separate rates for each answer type, "
        "and for each metric within a type that has enough clips. The interval includes the variance of the raw score, "
        "of q1 and of q0, and for a gap the covariance with the reference; a spoken reference is corrected too. With "
        "few items, few clusters or scores that hardly vary, it is the interval of the raw score, stretched by "
        "1 / (q0 + q1 - 1), plus the variance of the rates. Refused if q0 + q1 - 1 is below 0.2, for graded scores, "
        "and for an answer type without calibration.",
    ),
    Definition(
        "second_scorer",
        "Second scorer",
        "The raw score if another ASR model transcribes the same answers. Both scores use the items that both models "
        "have transcribed; their difference shows how much depends on the choice of the ASR scorer. The reference of "
        "a gap is transcribed by the second scorer if it is spoken, and is the same for both otherwise.",
    ),
    Definition(
        "entities",
        "NE-WER and NE-FNR",
        "Errors on the answer words only, after ContextASR-Bench. NE-WER: word error rate over the gold answers and "
        "aliases that occur in the reference, each aligned with its transcript. NE-FNR: share of them that were not "
        "transcribed exactly.",
    ),
    Definition(
        "ppi",
        "PPI++",
        "Prediction-powered inference: lambda times the mean score of all answers, plus the weighted mean of label "
        "minus lambda times score over the labelled answers. Lambda is chosen for the smallest variance, for each "
        "label from the labels of all other clusters, so that the estimate is not biased; it has no effect if labels "
        "were sampled separately from right and wrong answers.",
    ),
    Definition(
        "synthesis_and_asr",
        "Transcript minus own text",
        "Score of the transcript minus score of the model's own text of the same spoken answer: what is lost after "
        "the text is generated, in speech synthesis or in our ASR. It is part of the gap of a condition with spoken "
        "answers.",
    ),
    Definition(
        "waterfall",
        "Steps of a gap",
        "Perception: the model answers its own transcript of the question, minus t2t. Reasoning from the input: the "
        "direct answer minus that. Wording for speech: the own text of the spoken answer minus the text answer to the "
        "same input. Synthesis and ASR: the transcript minus the own text. The steps add up to the gap. An empty own "
        "text counts as wrong if the model returns own texts with its speech.",
    ),
    Definition(
        "controls",
        "Control cells",
        "Cells that check the planned cells: two-pass, blank and repeat. They have their own table, controls.parquet, "
        "and are not part of any accuracy or gap.",
    ),
    Definition(
        "two_pass",
        "Two-pass",
        "In the first pass the model writes down the spoken or image question word for word; in the second it gets its "
        "own transcript as text, and answers. The loss of the second pass is a loss of perception; what a direct "
        "answer loses beyond it is lost in answering from speech or image.",
    ),
    Definition(
        "blank",
        "Blank carrier",
        "The question is replaced by a white image of the same size, by silence of the same length, or by an empty "
        "line of text, ___; a text instruction is kept. A right answer to it was guessed, or follows from the "
        "instruction.",
    ),
    Definition(
        "chance",
        "Chance",
        "Expected accuracy of a guess, as the mean over the items: 1 / choices for an item with choices, 0 for an "
        "answer in free form such as a number or a name. Unknown for judged answers, and for letters without their "
        "choices.",
    ),
    Definition(
        "relative_gap",
        "Relative gap",
        "The gap divided by what the reference shows above chance: (condition - reference) / (reference - chance). 0 "
        "loses nothing, -100 % everything that is above guessing. It compares models of different strength. Its "
        "interval combines those of the gap and of the reference (MOVER for ratios) and excludes 0 where that of the "
        "gap does. There is none where the reference is not shown to be above chance.",
    ),
    Definition(
        "repeat",
        "Repeat",
        "The same request, sent once more as a separate call. Changed score: share of items whose score differs the "
        "second time. It limits how far the flip of a single item can be interpreted; a gap is a mean, and can be real "
        "even if it is smaller.",
    ),
    Definition(
        "consistency",
        "RER, CFR, MMC",
        "RER: share of items with the same normalised answer in all conditions, right or wrong. CFR: among items that "
        "are right in at least one condition, the share that is not right in all. MMC: share of items that are right "
        "in at least one condition.",
    ),
    Definition(
        "cross_modal",
        "Cross-modal consistency",
        "Share of items with the same normalised answer in two conditions that differ in the input modality only "
        "(arXiv 2411.09273). Unlike RER it compares pairs with the same output, not all conditions at once. Unlike CFR "
        "and MMC it counts equal wrong answers as consistent, and different wrong answers as not. Unlike kappa it "
        "compares answers instead of right and wrong, and subtracts no agreement by chance.",
    ),
    Definition(
        "independence",
        "If independent, if guessing",
        "The values for conditions with the same accuracies but independent answers, and for guessing only, from the "
        "chance of each item. MMC is a ceiling only as far as it exceeds the value of guessing.",
    ),
    Definition(
        "agreement",
        "Kappa and phi",
        "Cohen's kappa: agreement of right and wrong between two conditions beyond chance. Phi: their correlation, "
        "which determines how many items a gap needs. Intervals: cluster bootstrap; close to the ceiling or with few "
        "clusters, where the bootstrap is too narrow, the posterior under Jeffreys' prior with the effective number "
        "of items.",
    ),
    Definition(
        "set_level",
        "Disparity, imbalance, spread",
        "Measures over accuracies instead of items, as defined by XModBench. Disparity of two modalities: the sum of "
        "two gaps. Imbalance: one direction minus its reverse. Spread: the standard deviation of all accuracies.",
    ),
    Definition(
        "variance",
        "Variance components",
        "How much of the variance of the scores is between items, how much between voices or fonts, and the residual.",
    ),
    Definition(
        "levels",
        "Gap by level",
        "The gap with the carriers of one font, voice, size or rate, then over all levels: for exactly these levels, "
        "and with these levels as a sample of others (items and levels random, degrees of freedom by Satterthwaite). "
        "Modality: the second interval excludes 0. These levels only: only the first does. One level: the levels "
        "differ, and some show no gap.",
    ),
    Definition(
        "verified",
        "Kept, doubtful, lost",
        "Kept: a reader (OCR or ASR) read the carrier back with a word error rate of at most 20 % (or "
        "--max-word-error), and every number, name, negation, choice and choice letter was found. Doubtful: no reader "
        "did. Lost: a reader that kept most other carriers of this kind found no trace of half of the words or of "
        "three consecutive words, or two such readers miss the same key piece. Spaces are ignored. An item is verified "
        "if all its generated carriers are kept.",
    ),
    Definition(
        "power",
        "Power and q",
        "Number of items needed to detect the target gap with 80 % power, from the accuracies and phi of this run. q "
        "is the number of items divided by the number needed; below 1 the run is too small for that gap.",
    ),
    Definition(
        "equivalence",
        "No gap",
        "Claimed only if two one-sided tests show that the gap lies within the declared margin: on the answered pairs, "
        "with missing answers as wrong, and in both worst cases (missing wrong in the condition and right in the "
        "reference, and the reverse). A gap that is not significant is not evidence that there is no gap.",
    ),
    Definition(
        "routing",
        "Routing, regret, gain",
        "A routing policy selects the input and output modality by task. Its accuracy is measured on items that were "
        "not used for the selection. Regret: accuracy of the best condition of each item (the oracle) minus that of "
        "the policy, never negative; gain: improvement over one condition for all items. If random splits select "
        "different conditions, the interval is widened (Nadeau and Bengio 2003).",
    ),
    Definition(
        "latency",
        "Latency",
        "Seconds from sending a request to the last byte of its answer. The other times are measured by the server: "
        "queue, compute, first text token, first audio; a text answer has no first audio. Service: the latency without "
        "the time in the server's queue. Quantiles with too few answers for an interval are not shown.",
    ),
    Definition(
        "architecture",
        "Architecture type",
        "As declared by the model. The unit is the model: the mean of a type is over its models, with the range if "
        "one model is left out. With fewer than four models of each type the comparison is descriptive and has no p.",
    ),
    Definition(
        "flags",
        "Flags",
        "Problems of an answer: silent, empty, truncated (the audio ends before its text), refused, unparsable, "
        "wrong_language, suspect_transcript. A flagged answer is still scored.",
    ),
    Definition(
        "judge",
        "Judge",
        "A language model that rates open answers by a rubric: 1 to 5, mapped to 0 to 1, or yes or no. Model, decoding "
        "and rubric are part of the key of every score. If the judge fails, or its verdict cannot be parsed, the score "
        "is missing, not wrong. A silent answer scores 0 and is not sent to the judge.",
    ),
    Definition(
        "metric",
        "Metric",
        "The metric of an item is the same in all six conditions; it follows from the answer type, or the item names "
        "it. refusal scores 1 if the answer refuses; ifeval scores 1 if every verifiable instruction was followed; "
        "letter parses a written or spoken choice, and an answer that it cannot parse is wrong and counted as "
        "unparsable.",
    ),
    Definition(
        "flip",
        "Flip",
        "An item that the model gets right in t2t and wrong in another condition: the model knows the answer, so the "
        "modality caused the error.",
    ),
)

GLOSSARY = {definition.key: definition for definition in _ALL}
