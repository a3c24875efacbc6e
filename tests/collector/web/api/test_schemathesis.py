"""Whatever the document allows or forbids is asked of a running collector, by schemathesis.

The document is taken from where it is made and not over HTTP (that what is served is the same is held in
`test_serve`): of schemathesis' two ways into pytest the lazy one breaks with pytest 9.2 (`_nodeid`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from collector.config import Api
from collector.web.api.document import OPERATIONS, ROUNDS, document

from .dark import INCIDENT, in_a_thread

load_all_checks()
schema = schemathesis.openapi.from_dict(document((*OPERATIONS, ROUNDS), ("x", "youtube")))
# A type cannot say that `from` comes before `to`, or which cursors there are: those are refused with 400.
UNSAYABLE = {"series", "incidents", "rounds"}


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with in_a_thread(tmp_path_factory.mktemp("dark"), Api(requests_a_minute=0, rounds=True)) as url:
        yield f"{url}/api/v1"


def ask(case: schemathesis.Case[Any], base_url: str) -> None:
    unsayable = case.operation.definition.raw["operationId"] in UNSAYABLE
    case.call_and_validate(base_url, excluded_checks=[positive_data_acceptance] if unsayable else [])


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: schemathesis.Case[Any], base_url: str) -> None:
    ask(case, base_url)


@pytest.mark.slow
@schema.include(path_regex="{id}").parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_so_is_that_of_an_incident_that_there_is(case: schemathesis.Case[Any], base_url: str) -> None:
    case.path_parameters["id"] = INCIDENT
    ask(case, base_url)
