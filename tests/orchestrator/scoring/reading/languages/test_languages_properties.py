"""A right answer keeps its score in reasoning, and a number keeps its value in every notation of its language."""

from __future__ import annotations

import datetime

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from num2words import num2words

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import normalise, score
from omnigap_orchestrator.scoring.normalise.numbers import listed

EUROPEAN = ("de", "fr", "es", "it", "pt")
REGIONS = ("de", "de-CH", "fr", "fr-CH", "es", "es-MX", "it", "pt", "pt-BR", "zh", "ja", "ko")
NUMBERS = st.integers(min_value=0, max_value=10**9 - 1)
SMALL = st.integers(min_value=2, max_value=9_999)
DATES = st.dates(min_value=datetime.date(1000, 1, 1), max_value=datetime.date(2999, 12, 31))

examples = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("tag", REGIONS)
@examples
@given(number=NUMBERS)
def test_a_number_with_the_separators_of_its_locale(tag: str, number: int) -> None:
    assert normalise(format_decimal(number, locale=tag.replace("-", "_")), tag) == str(number)


@pytest.mark.parametrize("tag", REGIONS)
@examples
@given(number=NUMBERS, cents=st.integers(min_value=1, max_value=99))
def test_a_decimal_with_the_signs_of_its_locale(tag: str, number: int, cents: int) -> None:
    value = number + cents / 100
    written = format_decimal(value, locale=tag.replace("-", "_"), decimal_quantization=False)
    assert float(normalise(written, tag)) == pytest.approx(value)


@pytest.mark.parametrize("language", EUROPEAN)
@examples
@given(number=st.integers(min_value=2, max_value=999_999))
def test_a_number_in_words(language: str, number: int) -> None:
    words = num2words(number, lang=language)
    # num2words itself misspells diciotto.
    assume("dicotto" not in words)
    assert normalise(words, language) == str(number)


@pytest.mark.parametrize("number", [*range(101_000, 1_000_000, 100_000), 401_001, 601_101])
def test_a_german_number_with_one_thousand_behind_hundreds(number: int) -> None:
    words = num2words(number, lang="de")
    assert "einstausend" in words
    for written in (words, words.replace("einstausend", "eintausend")):
        assert normalise(written, "de") == str(number)


@pytest.mark.parametrize("language", ["ko", "ja"])
@examples
@given(number=st.integers(min_value=10, max_value=10**9))
def test_a_number_in_myriads(language: str, number: int) -> None:
    counter = {"ko": "원", "ja": "円"}[language]
    assert normalise(num2words(number, lang=language) + counter, language).replace(counter, "").strip() == str(number)


def chinese(number: int) -> str:
    """A number below 10**12 in Chinese characters."""
    digits, units = "零一二三四五六七八九", ("", "十", "百", "千")
    parts: list[str] = []
    for power, myriad in ((10**8, "亿"), (10**4, "万"), (1, "")):
        section, number = divmod(number, power)
        if not section:
            continue
        text, gap = "", False
        for place in (3, 2, 1, 0):
            digit = section // 10**place % 10
            if digit:
                text += ("零" if gap and (text or parts) else "") + digits[digit] + units[place]
                gap = False
            else:
                gap = gap or bool(text or parts)
        parts.append(text + myriad)
    return "".join(parts) or "零"


@examples
@given(number=st.integers(min_value=10, max_value=10**11))
def test_a_number_in_chinese(number: int) -> None:
    assert normalise(chinese(number) + "个", "zh").split()[0] == str(number)


@pytest.mark.parametrize("tag", REGIONS)
@pytest.mark.parametrize("width", ["long", "medium"])
@examples
@given(date=DATES)
def test_a_date_as_its_locale_writes_it(tag: str, width: str, date: datetime.date) -> None:
    item = Item("i", "t", tag, "?", (date.isoformat(),), AnswerType.DATE)
    written = format_date(date, width, locale=tag.replace("-", "_"))
    assert score(item, written).score == 1
    other = date.replace(day=date.day % 28 + 1)
    assert other == date or score(item, format_date(other, width, locale=tag.replace("-", "_"))).score == 0


KOREAN_REASONING = (
    "먼저 문제를 살펴보면 {names} 등이 거론됩니다. {last}은 조건에 맞지 않습니다. 따라서 정답은 {gold}입니다.",
    "{last}라고 생각하기 쉽지만 그렇지 않습니다. 답은 {gold}입니다.",
    "{gold}입니다. {last}은 아닙니다.",
    "질문에 답하자면, {last}이 아니라 {gold}이 맞습니다.",
    "{filler} 그러므로 답은 {gold}입니다.",
    "제 생각에는 {gold}인 것 같습니다.",
)
CITIES = ("서울", "부산", "인천", "대전", "울산", "광주", "수원")
FILLER = "이 문제는 여러 가지 사실을 함께 생각해야 풀 수 있습니다. " * 60


@examples
@given(
    template=st.sampled_from(KOREAN_REASONING),
    cities=st.lists(st.sampled_from(CITIES), min_size=3, max_size=4, unique=True),
)
def test_a_right_korean_name_keeps_its_score_in_reasoning(template: str, cities: list[str]) -> None:
    gold, *others = cities
    text = template.format(names=", ".join(others), last=others[-1], gold=gold, filler=FILLER)
    item = Item("i", "t", "ko", "어느 도시입니까?", (gold,), AnswerType.ENTITY)
    assert score(item, text).score == score(item, gold).score == 1
    wrong = Item("i", "t", "ko", "어느 도시입니까?", (others[-1],), AnswerType.ENTITY)
    assert template == KOREAN_REASONING[0] or score(wrong, text).score == 0


@examples
@given(total=st.integers(min_value=20, max_value=90), less=st.integers(2, 9), more=st.integers(10, 19))
def test_a_right_korean_number_keeps_its_score_in_reasoning(total: int, less: int, more: int) -> None:
    result = total - less + more
    question = f"철수는 사과 {total}개 중 {less}개를 주고 {more}개를 샀습니다. 몇 개입니까?"
    item = Item("i", "t", "ko", question, (str(result),), AnswerType.NUMBER)
    for text in (
        f"{result}개",
        f"처음에 {total}개에서 {less}개를 주면 {total - less}개가 남고, {more}개를 더 사면 모두 {result}개가 됩니다.",
        f"{total} - {less} = {total - less}\n{total - less} + {more} = {result}\n\n답: {result}개",
        f"{FILLER} 따라서 답은 {result}개입니다.",
        f"1. 처음에 {total}개\n2. {less}개를 주면 {total - less}개\n3. {more}개를 사면 {result}개입니다.",
    ):
        assert score(item, text).score == 1, text


@examples
@given(
    language=st.sampled_from(("ko", "de", "fr", "es", "it", "pt", "zh", "ja")),
    letter=st.sampled_from("ABCD"),
    data=st.data(),
)
def test_a_right_letter_keeps_its_score_when_other_choices_are_named(
    language: str, letter: str, data: st.DataObject
) -> None:
    choices = CHOICES[language]
    index = "ABCD".index(letter)
    other = data.draw(st.sampled_from([i for i in range(4) if i != index]))
    template = data.draw(st.sampled_from(LETTER_REASONING[language]))
    text = template.format(gold=letter, choice=choices[index], other="ABCD"[other], other_choice=choices[other])
    item = Item("i", "t", language, "?", (letter,), AnswerType.LETTER, choices)
    assert score(item, text).parsed == letter


CHOICES = {
    "ko": ("사자", "고래", "참새", "개미"),
    "de": ("Löwe", "Wal", "Spatz", "Ameise"),
    "fr": ("lion", "baleine", "moineau", "fourmi"),
    "es": ("león", "ballena", "gorrión", "hormiga"),
    "it": ("leone", "balena", "passero", "formica"),
    "pt": ("leão", "baleia", "pardal", "formiga"),
    "zh": ("狮子", "鲸鱼", "麻雀", "蚂蚁"),
    "ja": ("ライオン", "クジラ", "スズメ", "アリ"),
}
LETTER_REASONING = {
    "ko": (
        "정답은 {gold}입니다.",
        "{gold}. {choice}\n\n{other_choice}({other})은 조건에 맞지 않습니다.",
        "{other}가 아니라 {gold}입니다.",
        "{other}는 {other_choice}이므로 틀립니다. 따라서 정답은 {gold}번입니다.",
        "정답: {gold}",
        "{choice}입니다.",
    ),
    "de": (
        "Die Antwort ist {gold}.",
        "{gold}. {choice}\n\n{other_choice} ({other}) passt nicht.",
        "Nicht {other}, sondern {gold}.",
        "{other} ist falsch, denn {other_choice} passt nicht. Die richtige Antwort ist also {gold}.",
        "Antwort: {gold}",
    ),
    "fr": (
        "La réponse est {gold}.",
        "{gold}. {choice}\n\n{other_choice} ({other}) ne convient pas.",
        "Ce n'est pas {other}, c'est {gold}.",
        "{other} est faux. La bonne réponse est donc {gold}.",
        "Réponse : {gold}",
    ),
    "es": (
        "La respuesta es {gold}.",
        "{gold}. {choice}\n\n{other_choice} ({other}) no encaja.",
        "No es {other}, sino {gold}.",
        "{other} es incorrecta. La respuesta correcta es la opción {gold}.",
        "Respuesta: {gold}",
    ),
    "it": (
        "La risposta è {gold}.",
        "{gold}. {choice}\n\n{other_choice} ({other}) non va bene.",
        "Non è {other}, è {gold}.",
        "{other} è sbagliata. La risposta corretta è quindi {gold}.",
        "Risposta: {gold}",
    ),
    "pt": (
        "A resposta é {gold}.",
        "{gold}. {choice}\n\n{other_choice} ({other}) não serve.",
        "Não é {other}, é {gold}.",
        "{other} está errada. A alternativa correta é {gold}.",
        "Resposta: {gold}",
    ),
    "zh": (
        "答案是{gold}。",
        "{gold}. {choice}\n\n{other_choice}（{other}）不符合。",
        "不是{other}，是{gold}。",
        "{other}是{other_choice}，不对。因此正确答案是{gold}选项。",
        "答案：{gold}",
        "故选{gold}。",
    ),
    "ja": (
        "答えは{gold}です。",
        "{gold}. {choice}\n\n{other_choice}（{other}）は当てはまりません。",
        "{other}ではなく{gold}です。",
        "{other}は間違いです。正解は{gold}です。",
        "正解：{gold}",
    ),
}


@pytest.mark.parametrize("tag", ["de", "fr", "es", "it", "pt", "zh", "ja", "ko"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_normalising_is_idempotent_and_scoring_never_fails(tag: str, data: st.DataObject) -> None:
    text = data.draw(st.one_of(st.text(max_size=25), st.lists(st.sampled_from(PIECES[tag]), max_size=7).map(" ".join)))
    once = normalise(text, tag)
    assert normalise(once, tag) == once
    for answer_type in (AnswerType.NUMBER, AnswerType.DATE, AnswerType.ENTITY, AnswerType.LABEL):
        score(Item("i", "t", tag, "?", ("3",), answer_type), text)
    score(Item("i", "t", tag, "?", ("B",), AnswerType.LETTER, CHOICES[tag]), text)


PIECES = {
    "de": listed("einundzwanzig 3,5 3. Oktober 1990 und oder nicht Köln % - 1.000 eine Million halb B ( . Mai"),
    "fr": listed("vingt et un 3,5 le 14 juillet 1789 ou pas l'eau % 1 200 demi moins B ( . sept"),
    "es": listed("veintiuno 3,5 de octubre 1492 o no París % 1.000 y media menos B ( . mayo"),
    "it": listed("ventuno 3,5 il due giugno 1946 o non Forlì % 1.000 e mezzo meno B ( . sei"),
    "pt": listed("vinte e um 3,5 de setembro 1822 ou não São % 1.000 meia menos B ( . ponto"),
    "zh": listed("二十一 3.5万 1990年 十月 三日 或者 不是 三个 负 百分之 五 点 零 B （ 。 千万"),
    "ja": listed("二十一 3.5万 1990年 十月 三日 または ではない 三つ マイナス 五 点 昭和 B （ 。 パリ"),
    "ko": listed("이십일 3.5만 1990년 시월 삼일 또는 아니라 세 개 마이너스 오 점 백 B ( . 서울이"),
}
