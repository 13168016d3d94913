// What all shaders of surfaces draw with.

float hash(vec3 p) {
  p = fract(p * 0.3183099 + 0.1) * 17.0;
  return fract(p.x * p.y * p.z * (p.x + p.y + p.z));
}

float noise(vec3 p) {
  vec3 i = floor(p), f = fract(p);
  f = f * f * (3.0 - 2.0 * f);
  return mix(
      mix(mix(hash(i), hash(i + vec3(1, 0, 0)), f.x),
          mix(hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)), f.x), f.y),
      mix(mix(hash(i + vec3(0, 0, 1)), hash(i + vec3(1, 0, 1)), f.x),
          mix(hash(i + vec3(0, 1, 1)), hash(i + vec3(1, 1, 1)), f.x), f.y), f.z);
}

// 1 where the fraction of x is below `width`, 0 elsewhere, with edges of one pixel.
float band(float x, float width) {
  float edge = fwidth(x) + 1e-4, f = fract(x);
  return smoothstep(0.0, edge, f) * (1.0 - smoothstep(width, width + edge, f));
}

float below(float low, float high, float x) { return 1.0 - smoothstep(low, high, x); }
