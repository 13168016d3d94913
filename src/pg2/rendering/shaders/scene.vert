#version 330
// A vertex of a scene; also of its shadow map.

uniform mat4 projection, light_projection, scene_light_projection;

in vec3 position, normal, colour_a, colour_b;
in vec2 uv, params;

out vec3 world, world_normal, first, second, in_light, in_scene_light;
out vec2 at;
flat out vec2 chosen;
out float within;

void main() {
  gl_Position = projection * vec4(position, 1.0);
  world = position;
  world_normal = normal;
  first = colour_a;
  second = colour_b;
  at = uv;
  chosen = params;
  within = 1.0;
  in_light = (light_projection * vec4(position, 1.0)).xyz * 0.5 + 0.5;
  in_scene_light = (scene_light_projection * vec4(position, 1.0)).xyz * 0.5 + 0.5;
}
