"""The four 3D views drawn by OpenGL: one canvas, one viewport a stage, lit meshes on a shadowed ground."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QWidget
from vispy import app, gloo

from poseaug_studio.camera_link import TurntableCamera
from poseaug_studio.figure import GROUND_HALF, SHADOW_CELLS, StageFigure, mix, rgb
from poseaug_studio.figure_mesh import VERTEX, triangles, vertices
from poseaug_studio.stage_columns import columns
from poseaug_studio.theme import Theme

#: Divisions of the spheres of bodies and of ghosts: 162 and 42 vertices.
BODY_DETAIL, GHOST_DETAIL = 2, 1

MESH_VERTEX = """
uniform mat4 u_matrix;
uniform vec3 u_eye;
uniform float u_pixel;
attribute vec3 a_position;
attribute vec3 a_normal;
attribute vec4 a_colour;
varying vec3 v_normal;
varying vec3 v_view;
varying vec4 v_colour;
void main() {
    v_normal = a_normal;
    v_view = u_eye - a_position;
    v_colour = a_colour;
    gl_Position = u_matrix * vec4(a_position + a_normal * 0.6 * u_pixel * length(v_view), 1.0);
}
"""

# Key light over the viewer's left shoulder, sky and ground ambient, a faint gloss, edges that fall off.
# The square of n.v goes to zero linearly at an outline, so its distance in pixels is known: bodies are drawn half a
# pixel too wide and their outlines fade. On a software renderer that is a third of the price of multisampling.
MESH_FRAGMENT = """
uniform vec3 u_light;
uniform float u_falloff;
uniform float u_ambient;
varying vec3 v_normal;
varying vec3 v_view;
varying vec4 v_colour;
void main() {
    vec3 n = normalize(v_normal);
    vec3 v = normalize(v_view);
    float facing = max(0.0, dot(n, v));
    float edge = facing * facing;
    float cover = clamp(edge / max(1.2 * length(vec2(dFdx(edge), dFdy(edge))), 1e-5), 0.0, 1.0);
    float wrap = max(0.0, dot(n, u_light) * 0.6 + 0.4);
    float light = u_ambient + 0.10 * n.z + (1.0 - u_ambient) * wrap;
    float gloss = pow(max(0.0, dot(n, normalize(u_light + v))), 28.0);
    float away = 1.0 - facing;
    vec3 colour = v_colour.rgb * light + 0.13 * gloss;
    colour *= 1.0 - u_falloff * away * away * away;
    gl_FragColor = vec4(colour, v_colour.a * cover);
}
"""

GROUND_VERTEX = """
uniform mat4 u_matrix;
uniform vec3 u_place;
attribute vec2 a_corner;
varying vec2 v_plane;
void main() {
    v_plane = a_corner;
    gl_Position = u_matrix * vec4(u_place.xy + a_corner, u_place.z, 1.0);
}
"""

GROUND_FRAGMENT = """
uniform sampler2D u_shadow;
uniform vec3 u_line;
uniform vec4 u_dark;
uniform vec3 u_floor;
uniform float u_half;
varying vec2 v_plane;
void main() {
    float fade = 1.0 - smoothstep(0.25, 1.0, length(v_plane) / u_half);
    vec2 cell = v_plane / 0.25;
    vec2 width = fwidth(cell);
    vec2 near = abs(fract(cell - 0.5) - 0.5) / max(width, vec2(1e-4));
    float line = (1.0 - min(min(near.x, near.y), 1.0)) * (1.0 - smoothstep(0.25, 0.6, max(width.x, width.y)));
    float dark = texture2D(u_shadow, v_plane / (2.0 * u_half) + 0.5).r * u_dark.a;
    vec4 floor_ = vec4(mix(u_floor, u_line, line), fade * mix(0.55, 1.0, line));
    float alpha = dark + floor_.a * (1.0 - dark);
    gl_FragColor = vec4((u_dark.rgb * dark + floor_.rgb * floor_.a * (1.0 - dark)) / max(alpha, 1e-4), alpha);
}
"""

BACKDROP_VERTEX = """
attribute vec2 a_corner;
attribute vec3 a_colour;
varying vec3 v_colour;
void main() { v_colour = a_colour; gl_Position = vec4(a_corner, 0.0, 1.0); }
"""
BACKDROP_FRAGMENT = "varying vec3 v_colour; void main() { gl_FragColor = vec4(v_colour, 1.0); }"


class _Mesh:
    """A program and its buffers for solids that change together."""

    def __init__(self, detail: int):
        self._detail = detail
        self._buffer = gloo.VertexBuffer(np.zeros(3, VERTEX))
        self._index = gloo.IndexBuffer(np.zeros(3, np.uint32))
        self._shape: tuple[tuple[int, int], ...] = ()
        self.program = gloo.Program(MESH_VERTEX, MESH_FRAGMENT)
        self.program.bind(self._buffer)

    def set_solids(self, solids: tuple) -> None:
        blocks = [vertices(solid, self._detail) for solid in solids]
        shape = tuple((len(solid.start), len(solid.centre)) for solid in solids)
        if shape != self._shape:
            self._shape = shape
            first = np.cumsum([0, *map(len, blocks)])
            faces = [triangles(*s, self._detail) + np.uint32(f) for s, f in zip(shape, first, strict=False)]
            if faces:
                self._index = gloo.IndexBuffer(np.ascontiguousarray(np.concatenate(faces).reshape(-1)))
                self._buffer = gloo.VertexBuffer(np.concatenate(blocks))
                self.program.bind(self._buffer)
        elif blocks:
            self._buffer.set_data(np.concatenate(blocks))

    def draw(self) -> None:
        if self._shape:
            self.program.draw("triangles", self._index)


class GLViews(app.Canvas):
    """Draws StageFigures; ``native`` is the Qt widget. It paints on demand only and counts it in ``draws``."""

    def __init__(
        self, camera: TurntableCamera, theme: Theme, parent: QWidget | None = None, samples: int = 0,
        count: int = 4,
    ):  # fmt: skip
        self.count = count
        self._camera = camera
        self._theme = theme
        self._figures: tuple[StageFigure, ...] = ()
        self._stale = False
        self.draws = 0
        config = {"samples": samples, "depth_size": 24}
        # The dpi is given because vispy would run xdpyinfo to find it; Qt shows the widget's frame by itself.
        super().__init__(app=app.use_app("pyside6"), keys=None, config=config, dpi=96, parent=parent, autoswap=False)
        self._bodies = [_Mesh(BODY_DETAIL) for _ in range(count)]
        self._ghosts = [_Mesh(GHOST_DETAIL) for _ in range(count)]
        corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], np.float32)
        self._ground = gloo.Program(GROUND_VERTEX, GROUND_FRAGMENT)
        self._ground["a_corner"] = corners * np.float32(GROUND_HALF)
        self._ground["u_half"] = GROUND_HALF
        blank = np.zeros((SHADOW_CELLS, SHADOW_CELLS), np.float32)
        self._shadows = [gloo.Texture2D(blank, interpolation="linear", internalformat="r32f") for _ in range(count)]
        self._backdrop = gloo.Program(BACKDROP_VERTEX, BACKDROP_FRAGMENT)
        self._backdrop["a_corner"] = corners
        self.native.setMinimumSize(1, 1)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        dark = theme.name == "dark"
        low, high = mix(rgb(theme.surface), rgb(theme.background), 0.6), rgb(theme.surface)
        self._backdrop["a_colour"] = np.stack((low, low, high, high)).astype(np.float32)
        self._ground["u_line"] = mix(rgb(theme.line), rgb(theme.muted), 0.22 if dark else 0.1)
        self._ground["u_floor"] = mix(rgb(theme.surface), rgb(theme.line), 0.4 if dark else 0.45)
        self._ground["u_dark"] = (0.0, 0.0, 0.0, 0.85) if dark else (0.11, 0.16, 0.24, 0.5)
        for mesh in (*self._bodies, *self._ghosts):
            mesh.program["u_falloff"] = 0.4 if dark else 0.22
            mesh.program["u_ambient"] = 0.3 if dark else 0.66
        self.update()

    def set_figures(self, figures: tuple[StageFigure, ...]) -> None:
        self._figures, self._stale = figures, True
        self.update()

    def _upload(self) -> None:
        for figure, body, ghosts, shadow in zip(self._figures, self._bodies, self._ghosts, self._shadows, strict=False):
            body.set_solids((figure.body,))
            ghosts.set_solids(figure.ghosts)
            shadow.set_data(figure.shadow)
        self._stale = False

    def on_draw(self, event) -> None:
        self.draws += 1
        if self._stale and self._figures:
            self._upload()
        ratio = self.native.devicePixelRatioF()
        width, height = self.native.width(), self.native.height()
        gloo.set_viewport(0, 0, round(width * ratio), round(height * ratio))
        gloo.set_clear_color((*rgb(self._theme.line), 1.0))
        gloo.set_state(depth_test=False, blend=False, cull_face=False)
        gloo.set_depth_mask(True)
        gloo.clear(color=True, depth=True)
        eye = self._camera.towards_eye()
        right, up, _ = self._camera.axes()
        light = eye * 0.62 - right * 0.38 + up * 0.68
        light /= np.linalg.norm(light)
        for index, (left, wide) in enumerate(columns(width, self.count)):
            gloo.set_viewport(round(left * ratio), 0, round(wide * ratio), round(height * ratio))
            gloo.set_state(depth_test=False, blend=False)
            self._backdrop.draw("triangle_strip")
            if index < len(self._figures):
                self._draw_stage(index, (wide, height), light)

    def _draw_stage(self, index: int, size: tuple[int, int], light: np.ndarray) -> None:
        figure = self._figures[index]
        matrix, eye = self._camera.matrix(size, figure.framing).T, self._camera.eye(size, figure.framing)
        gloo.set_state(blend=True, blend_func=("src_alpha", "one_minus_src_alpha", "one", "one_minus_src_alpha"))
        ground = self._ground
        ground["u_matrix"], ground["u_shadow"] = matrix, self._shadows[index]
        ground["u_place"] = (*figure.joints[0, :2], figure.ground)
        ground.draw("triangle_strip")
        gloo.set_state(depth_test=True, depth_func="lequal")
        distance = np.linalg.norm(eye - np.asarray(figure.framing.centre))
        for mesh in (self._bodies[index], self._ghosts[index]):
            mesh.program["u_matrix"], mesh.program["u_eye"], mesh.program["u_light"] = matrix, eye, light
            mesh.program["u_pixel"] = self._camera.metres_per_pixel(size, figure.framing) / distance
        gloo.set_depth_range(0.5, 1.0)
        self._bodies[index].draw()
        # Ghosts lie over the body, or small changes would hide in its limbs; depth is written first, so that a
        # translucent figure does not show through itself.
        gloo.set_depth_range(0.0, 0.5)
        gloo.set_color_mask(False, False, False, False)
        self._ghosts[index].draw()
        gloo.set_color_mask(True, True, True, True)
        self._ghosts[index].draw()
