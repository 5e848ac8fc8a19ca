"""What a home RIS's answer means, and how long a message waits for the next attempt."""

from __future__ import annotations

import pytest

from hl7_listener.delivery.answer import Verdict, read_answer, retry_after
from worklist.home.told import Notice

HEAD = "MSH|^~\\&|RIS|RIS_A|RADPOOL|RADPOOL|20260610||ACK|A1|P|2.4"
TAKEN, NOT_NOW, NEVER, NO_ANSWER = Verdict.TAKEN, Verdict.NOT_NOW, Verdict.NEVER, Verdict.NO_ANSWER


def read(*segments: str, end: str = "\r") -> tuple[Verdict, str]:
    answer = read_answer(end.join((HEAD, *segments)).encode(), "c0ffee")
    return answer.verdict, answer.codes


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("AA", TAKEN), ("CA", TAKEN), ("aa", TAKEN), ("AE", NOT_NOW), ("CE", NOT_NOW), ("AR", NEVER), ("CR", NEVER)],
)
def test_a_code_says_whether_it_was_taken(code: str, verdict: Verdict) -> None:
    assert read(f"MSA|{code}|c0ffee") == (verdict, code.upper())


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_segments_end_as_senders_end_them(end: str) -> None:
    assert read("MSA|AA|c0ffee", end=end)[0] is TAKEN


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"hello", "not an HL7 message"),
        (f"{HEAD}\rMSA|AA|another".encode(), "answers another message"),
        (f"{HEAD}\rMSA|AA".encode(), "answers another message"),
        (HEAD.encode(), "no MSA segment"),
        (f"{HEAD}\rMSA|OK|c0ffee".encode(), "no acknowledgement code that is known"),
    ],
)
def test_what_answers_nothing_is_no_answer(octets: bytes, why: str) -> None:
    answer = read_answer(octets, "c0ffee")
    assert (answer.verdict, answer.codes) == (NO_ANSWER, why)


def test_of_a_refusal_the_codes_are_kept_and_never_its_words() -> None:
    assert read("MSA|AE|c0ffee|Tilda Test is unknown", "ERR||PID^1^3|204^Unknown key^HL70357|E||||Tilda Test") == (
        NOT_NOW,
        "AE PID-1-3 204",
    )
    assert read("MSA|AR|c0ffee", "ERR|PID^1^3^101&Tilda&HL70357") == (NEVER, "AR PID-1-3")
    assert read("MSA|AR|c0ffee", "ERR||Tilda Test|no such thing at all|E") == (NEVER, "AR")
    assert read("MSA|AR|c0ffee", "ERR|9990000018^Tilda") == (NEVER, "AR")
    assert read("MSA|AR|c0ffee", "ERR||PID^1^3^9990000018|Test|E") == (NEVER, "AR PID-1-3")
    assert read("MSA|AR|c0ffee", "ERR||9990000018|9990000018|E") == (NEVER, "AR")


def test_a_message_that_is_not_taken_is_sent_again_after_ever_longer_pauses() -> None:
    pauses = [retry_after(Notice.REPORT, attempt, NOT_NOW) for attempt in range(1, 9)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_notice_is_given_up_while_a_report_still_waits() -> None:
    assert [retry_after(Notice.LOCK_TAKEN, attempt, NO_ANSWER) is None for attempt in (4, 5)] == [False, True]
    assert [retry_after(Notice.REPORT, attempt, NOT_NOW) is None for attempt in (23, 24)] == [False, True]


def test_a_report_that_nobody_answers_is_never_given_up_and_one_that_is_rejected_at_once() -> None:
    assert retry_after(Notice.REPORT, 10_000, NO_ANSWER) == 300
    assert retry_after(Notice.REPORT, 1, NEVER) is None
