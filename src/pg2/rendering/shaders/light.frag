// The light of photographs, on people and on what is around them; linear RGB.

uniform vec3 key_colour, sky_colour, ground_colour;
uniform float softness;  // half the blur of shadows, in texels of the shadow map

// The same everywhere but for a pattern finer than a pixel: turns steps of shadows into grain.
float jitter() { return fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5; }

// 1 where a surface is seen edge on, 0 where it faces the camera.
float grazing(vec3 normal, vec3 to_camera) { return clamp(1.0 - dot(normal, to_camera), 0.0, 1.0); }

vec3 around(vec3 normal) { return mix(ground_colour, sky_colour, 0.5 + 0.5 * normal.z); }

// The normal of a surface that is raised by a height in metres.
vec3 raised(vec3 normal, float height) {
  vec3 across = dFdx(world), down = dFdy(world);
  vec3 r1 = cross(down, normal), r2 = cross(normal, across);
  float area = dot(across, r1);
  if (!(abs(area) > 1e-14)) return normal;  // a pixel that sees the surface edge on
  vec3 slope = (dFdx(height) * r1 + dFdy(height) * r2) / area;
  slope *= min(1.0, 0.9 / (length(slope) + 1e-4));
  return normalize(normal - slope);
}
