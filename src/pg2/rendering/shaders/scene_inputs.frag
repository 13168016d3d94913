// What is known of a place in a scene.

in vec3 world, world_normal, first, second, in_light, in_scene_light;
in vec2 at;
flat in vec2 chosen;
in float within;
layout(location = 0) out vec4 pixel;

uniform vec3 key_light, camera, haze_colour;
uniform sampler2D soft_shadow, scene_shadow_map;
uniform vec4 feet[2];  // place on the floor, how dark, half width
uniform float level, haze, near_light, with_distance;
