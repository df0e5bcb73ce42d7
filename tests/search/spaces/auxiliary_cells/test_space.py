from __future__ import annotations

from latseg.testing.space_contract import PlanSpaceContract
from search.spaces.auxiliary_cells.space import AuxiliaryCellsSpace


class TestAuxiliaryCellsSpace(PlanSpaceContract):
    def make_space(self, classes: int = 2) -> AuxiliaryCellsSpace:
        return AuxiliaryCellsSpace(classes, encoder="small", sizes=((128, 128), (160, 128)))
