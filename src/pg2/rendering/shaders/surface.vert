#version 330
// A vertex of a surface, or, for the shadow map, of the same surface seen from the light.

uniform mat4 projection, light_projection;

in vec3 position, normal, pattern_place, colour, rest;
in float inside;

out vec3 world, world_normal, place, base_colour, in_light, at_rest;
out float within;

void main() {
  gl_Position = projection * vec4(position, 1.0);
  world = position;
  world_normal = normal;
  place = pattern_place;
  base_colour = colour;
  within = inside;
  at_rest = rest;
  in_light = (light_projection * vec4(position, 1.0)).xyz * 0.5 + 0.5;
}
