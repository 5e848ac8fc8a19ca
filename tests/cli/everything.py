"""Imports what the commands and services of `radpool` import."""

import cli.checks
import cli.main
import cli.services.allocator
import cli.services.api
import cli.services.hl7
import cli.services.listener
import cli.services.sequencer
import cli.simulating
import cli.supervisor  # noqa: F401
