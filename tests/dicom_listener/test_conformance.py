"""The table of what is provided agrees with what the services can answer."""

from __future__ import annotations

import pytest
from pydicom.uid import UID

from dicom_listener import conformance
from dicom_listener.conformance import PROVIDED, SERVICES, Role, Status
from dicom_listener.services import storage
from dicom_listener.services.normalized import normalized_services
from dicom_listener.services.performed_procedure_step import StepAnswer
from dicom_listener.upper_layer.negotiation import takes_abstract_syntax


def statuses(name: str, operation: str) -> set[int]:
    (service,) = [each for each in SERVICES if each.name == name and each.role is Role.SCP]
    return set(service.statuses[operation])


def test_each_sop_class_has_its_registered_name() -> None:
    for service in SERVICES:
        for uid, name in service.sop_classes:
            assert UID(uid).name.removesuffix(" SOP Class") == name


def test_storage_answers_what_the_table_says() -> None:
    names = (each.name for each in Status)
    assert {getattr(storage, name) for name in names if hasattr(storage, name)} == statuses("Storage", "C-STORE")


@pytest.mark.parametrize("uid", sorted(PROVIDED))
def test_what_the_table_provides_is_agreed(uid: str) -> None:
    assert takes_abstract_syntax(uid)


def test_every_operation_of_the_table_has_a_service() -> None:
    fields = {"C-ECHO": 0x0030, "C-STORE": 0x0001, "N-CREATE": 0x0140, "N-SET": 0x0120, "N-ACTION": 0x0130}
    served = {*normalized_services(lambda _: StepAnswer(), lambda _: None, lambda _: False), 0x0030, 0x0001}
    provided = {operation for each in SERVICES if each.role is Role.SCP for operation in each.statuses}
    assert {fields[operation] for operation in provided - {"N-EVENT-REPORT"}} == served


def test_nothing_may_be_fetched_from_us() -> None:
    assert not any(takes_abstract_syntax(f"1.2.840.10008.5.1.4.1.2.{root}.{what}") for root in (1, 2) for what in "123")
    assert conformance.STUDY_ROOT_FIND not in PROVIDED
