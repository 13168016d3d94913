// What the studio and photographs have in common: what is known of a surface, patterns, shoes and eyes. Patterns are
// procedural, by coordinates at rest, so that they stay on the body in any pose.

in vec3 world, world_normal, place, base_colour, in_light, at_rest;
in float within;
layout(location = 0) out vec4 pixel;
layout(location = 1) out vec4 surface;  // coordinates at rest, and the layer; drawn only where asked for

uniform vec3 key_light, camera;
uniform sampler2D shadow_map;
uniform float figure_scale, layer;

// The material: see Material in layers.py.
uniform int kind, pattern, hem;
uniform vec3 second, logo;
uniform vec4 eye;
uniform float scale, fold, seed;

const int SKIN = 0, CLOTH = 1, HAIR = 2, SHOE = 3, EYE = 4;
const float TURN = 6.2832;

struct Surface {
  vec3 colour, normal;
  float specular, gloss, wrap;  // wrap: how far light reaches around an edge
};

float logo_mask() {
  vec2 g = (place.xz - logo.xy) / logo.z;
  float box = below(0.95, 1.0, max(abs(g.x), abs(g.y) * 1.3)) * step(place.y, 0.0);
  return box * (0.45 + 0.55 * step(0.5, fract(g.y * 1.6 + 0.2) + 0.35 * step(0.3, abs(g.x))));
}

// Share of the second colour; the numbers are those of CLOTH_PATTERNS in layers.py.
float cloth_pattern(vec3 q) {
  float around = atan(q.x, -q.y) / TURN;
  if (pattern == 1) return band(q.z * 16.0 * scale, 0.5);
  if (pattern == 2) return band(around * 22.0 * floor(scale * 2.0 + 0.5) * 0.5, 0.4);
  if (pattern == 3) {
    return 0.5 * band(q.z * 14.0 * scale, 0.5) + 0.5 * band(around * floor(14.0 * scale), 0.5);
  }
  if (pattern == 4) {
    vec2 dot_place = vec2(around * floor(20.0 * scale), q.z * 20.0 * scale);
    dot_place.x += 0.5 * mod(floor(dot_place.y), 2.0);
    return below(0.22, 0.28, length(fract(dot_place) - 0.5));
  }
  if (pattern == 5) return logo_mask();
  if (pattern == 6) return smoothstep(0.0, 0.004, logo.y / figure_scale + 0.03 - q.z);
  if (pattern == 7) return below(0.018, 0.024, abs(q.y)) * step(0.0, abs(q.x) - 0.03);
  return 0.0;
}

// Coordinates: x from heel (0) to toe (1), z above the floor. Pattern 1 has laces and a seam at the toe.
Surface shoe(vec3 normal) {
  vec3 colour = mix(base_colour, second, below(0.012, 0.014, place.z));
  if (pattern == 1) {
    float lace = step(0.42, place.x) * step(place.x, 0.68) * smoothstep(0.055, 0.062, place.z)
        * band(place.x * 26.0, 0.45);
    colour = mix(colour, second, lace * 0.8);
    colour *= 1.0 - 0.25 * smoothstep(0.78, 0.79, place.x) * below(0.80, 0.81, place.x);
  }
  return Surface(colour, normal, 0.12, 22.0, 0.1);
}

Surface eyeball(vec3 normal) {
  float r = length(vec2(abs(place.x) - eye.x, place.z - eye.y)) / eye.w;
  vec3 colour = mix(base_colour, second, below(0.0055, 0.0062, r));
  colour *= 1.0 - 0.95 * below(0.0022, 0.0028, r);
  return Surface(colour, normal, 0.25, 60.0, 0.12);
}
