"""Export: chosen points of a study as YAML, JSON or CSV, and what reproduces them."""

from aster_dse.export.document import ExportDocument, ExportedPoint, TestAccuracy, build_document
from aster_dse.export.points import Point, front_of, goals_of, study_front
from aster_dse.export.reproduce import Reproduction, load_document, reproduce
from aster_dse.export.select import select
from aster_dse.export.writers import FORMATS, render, write_atomically

__all__ = [
    "FORMATS",
    "ExportDocument",
    "ExportedPoint",
    "Point",
    "Reproduction",
    "TestAccuracy",
    "build_document",
    "front_of",
    "goals_of",
    "load_document",
    "render",
    "reproduce",
    "select",
    "study_front",
    "write_atomically",
]
