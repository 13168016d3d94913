// How cloth, skin and hair look in a studio, and before a street.

uniform vec3 fill_light;
uniform float key_power, ambient;

// Share of the key light that reaches this place, softened over 3 x 3 texels.
float lit() {
  float sum = 0.0;
  for (int i = -1; i <= 1; i++) for (int j = -1; j <= 1; j++) {
    float nearest = texture(shadow_map, in_light.xy + vec2(i, j) * 2.0 / 512.0).r;
    sum += below(0.004, 0.018, in_light.z - nearest - 0.002);
  }
  return sum / 9.0;
}

Surface cloth(vec3 normal) {
  vec3 q = place / figure_scale;
  vec3 colour = mix(base_colour, second, cloth_pattern(q));
  if (hem > 0) colour *= mix(0.80, 1.0, smoothstep(0.004, 0.007, abs(within / figure_scale - 0.020)));
  if (hem == 2) colour = mix(colour, second, below(0.006, 0.009, within / figure_scale));
  vec3 wide = q * vec3(11, 11, 8) + seed, narrow = q * vec3(26, 26, 17) + seed;
  vec2 a = vec2(noise(wide), noise(wide + 31.0)) - 0.5;
  vec2 b = vec2(noise(narrow), noise(narrow + 11.0)) - 0.5;
  normal = normalize(normal + fold * (1.25 * vec3(a, a.x - a.y) + 0.7 * vec3(b, b.y - b.x)));
  colour *= 0.97 + 0.06 * noise(q * 240.0);
  return Surface(colour, normal, 0.015, 18.0, 0.2);
}

Surface skin(vec3 normal) {
  vec2 e = vec2(abs(place.x) - eye.x, place.z - eye.y) / eye.w;
  float arch = 0.0185 + 0.003 * smoothstep(-0.02, 0.010, e.x) - 0.006 * smoothstep(0.008, 0.026, e.x);
  float taper = 1.0 + 0.5 * smoothstep(0.0, 0.02, e.x);
  float brow = below(0.0012, 0.0034, abs(e.y - arch) * taper) * below(0.018, 0.024, abs(e.x + 0.001))
      * step(place.y, eye.z + 0.01);
  float lash = below(0.0, 0.004, abs(e.y - 0.0045)) * below(0.014, 0.018, abs(e.x))
      * step(place.y, eye.z + 0.012);
  vec3 colour = mix(base_colour, second, 0.7 * brow) * (1.0 - 0.45 * lash);
  return Surface(colour * (0.985 + 0.03 * noise(place * 90.0)), normal, 0.06, 14.0, 0.3);
}

// Strands run down, with one soft highlight; curly and cropped hair (pattern 1) is grainy instead.
Surface hair(vec3 normal) {
  float around = atan(place.x, -place.y);
  bool curly = pattern == 1;
  float strand = curly
      ? noise(place * 60.0)
      : 0.5 * noise(vec3(around * 26.0, place.z * 2.5, seed))
          + 0.5 * noise(vec3(around * 70.0, place.z * 5.0, seed + 9.0));
  vec3 colour = mix(second, base_colour, 0.25 + 0.9 * strand);
  normal = normalize(normal + 0.35 * (strand - 0.5) * vec3(cos(around), sin(around), 0.0));
  // A ragged edge.
  bool at_edge = within < 0.006 + 0.012 * noise(vec3(around * 30.0, seed, 1.0));
  if (at_edge && within < 0.010 * noise(vec3(around * 38.0, seed, 3.0))) discard;
  return Surface(colour, normal, curly ? 0.03 : 0.16, 16.0, 0.15);
}

void main() {
  if (within < 0.0) discard;
  vec3 normal = normalize(world_normal), to_camera = normalize(camera - world);
  if (dot(normal, to_camera) < 0.0) normal = -normal;
  Surface s;
  if (kind == CLOTH) s = cloth(normal);
  else if (kind == SKIN) s = skin(normal);
  else if (kind == HAIR) s = hair(normal);
  else if (kind == SHOE) s = shoe(normal);
  else s = eyeball(normal);
  if (kind == CLOTH && !gl_FrontFacing) s.colour *= 0.55;

  float shadow = lit();
  float key = max((dot(s.normal, key_light) + s.wrap) / (1.0 + s.wrap), 0.0) * mix(1.0, shadow, 0.78);
  float fill = max(dot(s.normal, fill_light) * 0.5 + 0.5, 0.0);
  float sky = 0.5 + 0.5 * s.normal.z;
  float shine = s.specular * pow(max(dot(s.normal, normalize(key_light + to_camera)), 0.0), s.gloss) * shadow;
  vec3 light = vec3(1.03, 1.0, 0.97) * key_power * key + vec3(0.97, 0.99, 1.03) * 0.28 * fill
      + ambient * (0.62 + 0.38 * sky);
  // Skin glows red where the light fades.
  if (kind == SKIN) light *= mix(vec3(1.0), vec3(1.06, 0.985, 0.95), 0.6 * (1.0 - key));
  vec3 shaded = sqrt(s.colour * s.colour * light * 1.12);
  pixel = vec4(min(shaded + shine, 1.0), 1.0);
  surface = vec4(at_rest, layer);
}
