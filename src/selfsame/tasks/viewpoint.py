"""The cameras of an optimisation: as given, or refined along with the codes."""

import torch
from torch import Tensor

from selfsame.core import camera as cameras
from selfsame.core.camera import FACE_PIVOT, Camera


class Viewpoint:
    """Cameras that small turns about the face and small shifts refine by Adam, where `refined`."""

    def __init__(self, camera: Camera, refined: bool, lr: float) -> None:
        self.camera = camera
        device = camera.cam2world.device
        self.moves: list[Tensor] = (
            [torch.zeros(len(camera), 3, device=device, requires_grad=True) for _ in range(2)] if refined else []
        )
        self.adam = torch.optim.Adam(self.moves, lr=lr) if refined else None

    def seen(self) -> Camera:
        """The cameras as they stand."""
        if not self.moves:
            return self.camera
        turn, shift = self.moves
        return cameras.nudge(self.camera, turn, shift, FACE_PIVOT)
