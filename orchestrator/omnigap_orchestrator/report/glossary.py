"""What the report's words mean: one glossary behind every question mark and heading of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    key: str
    term: str
    text: str


_ALL = (
    Definition(
        "accuracy",
        "Accuracy",
        "The mean score of the answered items of a condition, in percent. A score lies between 0 and 1 and is 0 "
        "or 1 for most answer types. A spoken answer is transcribed by the ASR scorer and scored with the same "
        "metric as a text answer.",
    ),
    Definition(
        "gap",
        "Gap",
        "The mean over items of the score in a condition minus the score of the same item, from the same model, "
        "in t2t (typed question, text answer). Always paired by item; in percentage points; negative is a loss.",
    ),
    Definition(
        "condition",
        "Condition",
        "An input and an output modality: t, s and i for text, speech and image; s2t is a spoken question with a "
        "text answer. In s2t and i2t the question is not typed as well.",
    ),
    Definition(
        "interval",
        "Interval",
        "The confidence interval at the level given in the methods. Its method is chosen by the data and printed "
        "beside it: cluster-robust Student t with enough clusters and discordant pairs, score intervals or "
        "bootstraps below that.",
    ),
    Definition(
        "n",
        "n",
        "Items behind a number; for gaps and effects, pairs of answers to the same item. Replicates of an item "
        "are averaged first and do not add to n.",
    ),
    Definition(
        "bc",
        "b and c",
        "Discordant pairs: b items are right in t2t and wrong here (lost), c items are wrong in t2t and right "
        "here (gained). Only for scores of 0 or 1 with one replicate.",
    ),
    Definition(
        "mcnemar",
        "p",
        "Exact McNemar over b and c where each cluster is one item with one replicate, else the test that belongs"
        " to the interval.",
    ),
    Definition(
        "holm",
        "p adjusted",
        "Adjusted for the other tests of its family: Holm within one model's gaps or effects, Benjamini-Hochberg "
        "over the exploratory grid of model x task x condition. The family is named in the table.",
    ),
    Definition(
        "effects",
        "Effects",
        "Input effect of speech: the mean of s2t - t2t and s2s - t2s; of image likewise. Output effect of speech:"
        " the mean of x2s - x2t over the three inputs. Interaction: how much more an input costs when the answer "
        "is spoken, (s2s - s2t) - (t2s - t2t).",
    ),
    Definition(
        "pooling",
        "Pooling",
        "Item-weighted: every item counts the same. Task-macro: the mean of the tasks' means, so that every task "
        "counts the same.",
    ),
    Definition(
        "missing",
        "Missing cells",
        "A cell that failed or is pending is missing: neither wrong nor dropped. Gaps are taken on answered "
        "pairs, shown again with missing as wrong, and bounded: the bounds are what the gap becomes when every "
        "missing score is the worst, or the best, it can be.",
    ),
    Definition(
        "outcomes",
        "Outcomes",
        "Answered: an answer came back, however bad. Unsupported: the model declares that it cannot do this "
        "condition. Failed: a fault after all retries. Pending: not asked yet. Planned = answered + failed + "
        "pending.",
    ),
    Definition(
        "wer",
        "WER",
        "Word error rate of what the ASR scorer heard against the model's own text of the same answer, errors "
        "over words, pooled. It holds the voice's and the scorer's errors together.",
    ),
    Definition(
        "coverage",
        "Coverage",
        "Share of the reference's words for which the scorer heard anything, right or wrong: 100 % less the deleted "
        "ones, pooled. A voice that stops before its text ends shows here.",
    ),
    Definition(
        "asr",
        "ASR diagnostics",
        "The scorer's own measures of each transcript. Average log probability: nearer to 0 is surer. No-speech "
        "probability: how likely the audio holds no speech. Compression ratio: above about 2.4 a transcript "
        "repeats itself.",
    ),
    Definition(
        "q",
        "q1 and q0",
        "q1: how often the ASR scorer's transcript of a spoken gold answer is scored right; q0: how often that of a "
        "wrong answer is scored wrong. Both by answer type, from synthetic speech. Clips of one text count as one "
        "cluster: a voice says a letter the same for every item.",
    ),
    Definition(
        "confusables",
        "Distractors and confusables",
        "The wrong answers of the calibration. Distractor: another item's answer of the same type. Confusable: the "
        "wrong answer that sounds most similar, such as 30 for 13 or D for B. A model's own wrong answers lie between.",
    ),
    Definition(
        "corrected",
        "Corrected",
        "(raw + q0 - 1) / (q0 + q1 - 1), Rogan and Gladen's estimator, each answer type with its own rates, and each "
        "metric within a type where there are clips enough. The interval carries the variance of the raw score, of q1 "
        "and q0, and for a gap the covariance with the reference; a spoken reference is corrected too. With few items, "
        "few clusters or scores that hardly vary it is the raw score's own interval, stretched by 1 / (q0 + q1 - 1), "
        "with the rates' variance added. Refused where "
        "q0 + q1 - 1 is below 0.2, for scores with grades, and where a type has no calibration.",
    ),
    Definition(
        "second_scorer",
        "Second scorer",
        "The raw score when another ASR model hears the same answers. Both stand on the items of which both have heard "
        "answers; how far they lie apart tells how much hangs on the choice of the scorer. The reference of a gap is "
        "the second scorer's own where it is spoken, else the same for both.",
    ),
    Definition(
        "entities",
        "NE-WER and NE-FNR",
        "Errors on the answers alone, after ContextASR-Bench: NE-WER is the word error rate over gold answers and "
        "aliases that the reference holds, each matched with what was heard for it; NE-FNR the share that was not "
        "heard exactly.",
    ),
    Definition(
        "ppi",
        "PPI++",
        "Prediction-powered inference: lambda times the mean score of all answers, plus the weighted mean of label "
        "minus lambda times score over the labelled ones. Unbiased whatever lambda is; lambda is tuned for the "
        "smallest variance, and makes no difference where labels were drawn by right and wrong.",
    ),
    Definition(
        "voicing",
        "Heard minus own text",
        "The score of what was heard minus the score of the model's own text of the same spoken answer: what is "
        "lost after the words are chosen, in voicing and in our hearing of it. It is part of the gap of a "
        "condition with spoken answers.",
    ),
    Definition(
        "waterfall",
        "Steps of a gap",
        "Perceiving: the model answers its own transcript or reading of the question, minus t2t. Answering from it: "
        "the direct answer minus that. Words meant for voice: the own text of the spoken answer minus the text "
        "answer to the same input. Voicing and hearing: what was heard minus the own text. They add up to the gap. "
        "An own text that is empty is wrong where the model gives own texts beside its speech.",
    ),
    Definition(
        "controls",
        "Control cells",
        "Cells that are asked beside the planned ones, to check them: two-pass, blank and repeat. They have their own "
        "table, controls.parquet, and count in no accuracy and no gap.",
    ),
    Definition(
        "two_pass",
        "Two-pass",
        "First the model gets the spoken or shown question and writes it down word for word; then it gets its own "
        "words, typed, and answers. What it loses then is lost in perceiving; what a direct answer loses beyond that, "
        "in answering what was not typed.",
    ),
    Definition(
        "blank",
        "Blank carrier",
        "The question is replaced by a white image of the same size, by silence of the same length, or by a typed "
        "empty line, ___; a typed instruction stays. What is right then was guessed, or leaked by the instruction.",
    ),
    Definition(
        "chance",
        "Chance",
        "What picking one of an item's choices at random gives: the mean of 1 / choices. Not known for items without "
        "choices.",
    ),
    Definition(
        "repeat",
        "Asked again",
        "The same request once more, as a call of its own. Scored otherwise: the share of items whose score is not the "
        "same the second time. It bounds how much of a single item's flip can be noise; a gap, being a mean, can be "
        "real below it.",
    ),
    Definition(
        "consistency",
        "RER, CFR, MMC",
        "RER: the share of items with the same normalised answer in all conditions, right or wrong. CFR: among items "
        "right in at least one condition, the share not right in all. MMC: the share right in at least one.",
    ),
    Definition(
        "independence",
        "If independent, if guessing",
        "What conditions with the same accuracies would give if they knew nothing of each other, and what guessing "
        "alone would give.",
    ),
    Definition(
        "agreement",
        "Kappa and phi",
        "Cohen's kappa: agreement of right and wrong over two conditions beyond chance. Phi: their correlation; it "
        "sets how many items a gap takes. Intervals: cluster bootstrap; near the ceiling or with few clusters, where "
        "that is too narrow, the posterior under Jeffreys' prior on the effective number of items.",
    ),
    Definition(
        "set_level",
        "Disparity, imbalance, spread",
        "Figures over accuracies and not over items, as XModBench gives them: the disparity of two modalities is the "
        "sum of two gaps, an imbalance one direction minus its reverse, the spread the deviation of all accuracies.",
    ),
    Definition(
        "variance",
        "Variance components",
        "How much of the variation of scores lies between items, between voices or fonts, and in what is left.",
    ),
    Definition(
        "levels",
        "Whose gap is it",
        "The gap with the carriers of one font, voice, size or rate alone, then over all of them: with these levels "
        "and no others in mind, and with them as a sample of others (items and levels random, Satterthwaite's degrees "
        "of freedom). Of the modality: the second interval excludes 0. With these, others unknown: only the first "
        "does. Hangs on the level: the levels differ, and at some no gap is shown.",
    ),
    Definition(
        "verified",
        "Kept, doubtful, lost",
        "Kept: a reader read the carrier back with a word error of at most 20 % (unless told otherwise) and every "
        "number, name, negation, choice and choice letter. Doubtful: none did. Lost: a reader that read most others of "
        "the kind back found no trace of half of the words or of three in a row, or two such readers miss the same "
        "piece. Blanks don't count. An item is verified when all its made carriers are kept.",
    ),
    Definition(
        "power",
        "Power and q",
        "Items needed to see the declared target gap with 80 % power, from this run's own accuracies and phi; q is "
        "the items at hand over those needed. Below 1 the run was too small for that gap.",
    ),
    Definition(
        "equivalence",
        "No gap",
        "Claimed only when two one-sided tests show that the gap lies within the declared margin. A gap that is not "
        "shown is not a gap shown to be nothing.",
    ),
    Definition(
        "routing",
        "Routing, regret, gain",
        "A policy chooses input and output for a task. Its accuracy is taken on items that took no part in choosing. "
        "Regret: how far it stays below choosing the best form of each item; gain: above one form for all. Where the "
        "random splits disagree in what to choose, the interval is widened for it (Nadeau and Bengio 2003).",
    ),
    Definition(
        "latency",
        "Latency",
        "Seconds from sending a request to the last byte of its answer. The other times are the server's own: "
        "waiting in its queue, computing, first text token, first audio. Quantiles with too few answers for an "
        "interval are not shown.",
    ),
    Definition(
        "architecture",
        "Architecture type",
        "What the model declares. The model is the unit: a type's mean is over its models, with the range when "
        "one model is left out. With fewer than four models of each type the comparison is descriptive and "
        "carries no p.",
    ),
    Definition(
        "flags",
        "Flags",
        "How an answer is bad: silent, truncated (the audio ends before its text), refused, unparsable, "
        "wrong_language, suspect_transcript. A flagged answer is still scored as it was heard.",
    ),
    Definition(
        "judge",
        "Judge",
        "A language model that rates open answers by a rubric, 1 to 5 mapped to 0 to 1, or yes or no. Model, decoding "
        "and rubric are part of every score's key. An answer that it failed on, or whose verdict cannot be read, is "
        "missing: never wrong. A silent answer is worth 0 and is not sent to it.",
    ),
    Definition(
        "metric",
        "Metric",
        "What gave a score, the same in all six conditions: by the item's answer type, or named by the item. "
        "Refusal scores 1 where the answer refuses; ifeval 1 where every verifiable instruction was followed; letter "
        "reads a written or spoken choice, and what it cannot read is wrong and counted as unparsable.",
    ),
    Definition(
        "flip",
        "Flip",
        "An item that a model gets right in t2t and wrong in another condition: the question was within its "
        "knowledge, the form was not.",
    ),
)

GLOSSARY = {definition.key: definition for definition in _ALL}
