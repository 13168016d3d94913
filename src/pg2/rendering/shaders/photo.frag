// How people look in a photograph, in linear light. There is one program for each kind of surface, named by KIND.

uniform vec3 grain, brow;
uniform int fabric, front;
uniform float waves;

// Fabrics and fronts: the places in FABRICS and FRONTS in layers.py.
const int JERSEY = 0, DENIM = 1, KNIT = 2, LEATHER = 3, SATIN = 4, WOOL = 5, LINEN = 6;
const int BUTTONS = 1, ZIP = 2, JEANS = 3;

const float SHADOW_MAP = 512.0;

// Share of the key light that passes the person, softened over 4 x 4 places of the shadow map.
float passing(vec3 seen) {
  float sum = 0.0, off = jitter(), step_ = softness * 0.667;
  for (int i = 0; i < 4; i++) for (int j = 0; j < 4; j++) {
    vec2 aside = (vec2(i, j) - 1.5 + vec2(off, -off)) * step_ / SHADOW_MAP;
    float nearest = texture(shadow_map, seen.xy + aside).r;
    sum += below(0.003, 0.012 + 0.001 * softness, seen.z - nearest - 0.002 - 0.0004 * softness);
  }
  return sum / 16.0;
}

float ridge(float n) { return 1.0 - abs(2.0 * n - 1.0); }

// As `band`, with an edge that is given: an angle jumps at the back, and its change from pixel to pixel with it.
float strip(float x, float width, float edge) {
  float f = fract(x), crisp = smoothstep(0.0, edge, f) * (1.0 - smoothstep(width, width + edge, f));
  return mix(crisp, width, smoothstep(0.4, 1.0, edge));
}

#if KIND == 1
vec3 dyed(vec3 q) {
  float turn = atan(q.x, -q.y) / TURN;
  float pixel_turn = (fwidth(q.x) + fwidth(q.y)) / (TURN * max(length(q.xy), 0.02)) + 1e-4, pixel_up = fwidth(q.z) + 1e-4;
  vec3 plain = base_colour;
  if (pattern == 0) return plain;
  if (pattern == 2) {
    float n = 11.0 * floor(scale * 2.0 + 0.5);
    return mix(plain, second, strip(turn * n, 0.4, pixel_turn * n));
  }
  if (pattern == 3 || pattern == 9) {
    float n = floor((pattern == 3 ? 14.0 : 9.0) * scale), m = n;
    float s = 0.5 * strip(q.z * m, 0.5, pixel_up * m) + 0.5 * strip(turn * n, 0.5, pixel_turn * n);
    if (pattern == 3) return mix(plain, second, s);
    // Plaid: thin lines of a lighter colour between.
    float thin = max(strip(q.z * m + 0.3, 0.07, pixel_up * m), strip(turn * n + 0.3, 0.07, pixel_turn * n));
    return mix(mix(plain, second, s * 0.85), mix(second, vec3(0.95), 0.6), thin * 0.6);
  }
  if (pattern == 8) {
    // Flowers in cells, each aside of its middle.
    vec2 cells = vec2(floor(11.0 * scale), 11.0 * scale), at = vec2(turn, q.z) * cells;
    at.x += 0.5 * mod(floor(at.y), 2.0);
    vec2 cell = floor(at), aside = vec2(hash(vec3(cell, seed)), hash(vec3(cell, seed + 5.0))) - 0.5;
    vec2 d = fract(at) - 0.5 - 0.35 * aside;
    float r = length(d), petals = 0.25 + 0.035 * cos(5.0 * atan(d.y, d.x) + 6.0 * aside.x);
    float edge = 0.05 + pixel_up * cells.y;
    vec3 leaf = vec3(0.35, 0.42, 0.25), heart = vec3(0.93, 0.83, 0.45);
    vec3 colour = mix(plain, leaf, 0.7 * below(0.1, 0.1 + edge, abs(r - petals - 0.06)) * step(0.6, hash(vec3(cell, floor(atan(d.y, d.x) * 1.3)))));
    colour = mix(colour, mix(second, second.brg, 0.35 * step(0.6, hash(vec3(cell, 2.0)))), below(petals, petals + edge, r));
    return mix(colour, heart, below(0.07, 0.07 + edge, r));
  }
  if (pattern == 10) {
    // A picture printed on the chest, and a line of writing below it.
    vec2 g = (at_rest.xz - logo.xy - vec2(0.0, -0.25 * logo.z)) / (logo.z * 1.35);
    float chest = step(at_rest.y, 0.0);
    float inside = below(0.95, 1.0, max(abs(g.x), abs(g.y - 0.12) * 1.25)) * chest;
    float n = noise(vec3(g * 2.2, seed)), m = noise(vec3(g * 3.7, seed + 9.0));
    vec3 art = mix(second, second.gbr, smoothstep(0.45, 0.5, n));
    art = mix(art, vec3(0.93, 0.91, 0.86), smoothstep(0.62, 0.66, m));
    art = mix(art, vec3(0.10), smoothstep(0.60, 0.64, noise(vec3(g * 5.0, seed + 3.0))));
    inside *= step(0.25, n + 0.35 * m);
    float text = step(abs(g.y + 0.85), 0.09) * step(abs(g.x), 0.8) * step(0.35, hash(floor(vec3(g.x * 14.0, 0.0, seed)))) * chest;
    return mix(mix(plain, art, inside), second, text * 0.9);
  }
  if (pattern == 11) return mix(plain, second, 0.35 * noise(q * vec3(160, 160, 500)) + 0.15 * noise(q * vec3(40, 40, 130)));
  if (pattern == 12) {
    float n = noise(q * 34.0 * scale + seed), m = noise(q * 70.0 * scale + seed);
    return mix(plain, second, smoothstep(0.52, 0.58, ridge(n) * 0.7 + 0.3 * m) * 0.9);
  }
  return mix(plain, second, cloth_pattern(q));
}

// What is sewn on: hems, buttons, zips, the seams and pockets of jeans. Works on the colour; gives a height.
float sewn(inout vec3 colour, vec3 q) {
  float height = 0.0, edge = fwidth(at_rest.x) + 0.001;
  vec3 r = at_rest / figure_scale;
  if (hem > 0) {
    float line = below(0.001, 0.005, abs(within / figure_scale - 0.020));
    colour *= 1.0 - 0.12 * line;
    height -= 0.0004 * line;
  }
  if (hem == 2) colour = mix(colour, second, below(0.006, 0.009, within / figure_scale));
  float before = step(r.y, 0.0) * below(0.11, 0.12, abs(r.x));
  if (front == BUTTONS) {
    float side = below(0.002, 0.002 + edge, abs(abs(r.x) - 0.017)) * before;
    colour *= 1.0 - 0.22 * side;
    height += 0.001 * below(0.016, 0.018, abs(r.x)) * before;
    vec2 d = vec2(r.x, (fract(r.z / 0.085) - 0.5) * 0.085);
    float button = below(0.0055, 0.0055 + edge, length(d)) * before;
    vec3 horn = dot(colour, vec3(0.33)) > 0.35 ? colour * 0.45 : colour * 0.5 + 0.4;
    colour = mix(colour, horn, button);
  }
  if (front == ZIP) {
    float zip = below(0.0022, 0.0022 + edge, abs(r.x)) * before;
    colour = mix(colour, mix(colour * 0.6, vec3(0.6, 0.59, 0.56), 0.6), zip);
    colour *= 1.0 - 0.2 * below(0.002, 0.002 + edge, abs(abs(r.x) - 0.014)) * before;
  }
  if (front == JEANS) {
    vec3 thread = mix(colour, vec3(0.80, 0.62, 0.36), 0.55);
    float seam = below(0.0015, 0.0015 + edge, abs(q.y)) * step(0.03, abs(q.x));
    colour *= 1.0 - 0.3 * seam;
    height -= 0.001 * seam;
    float up = r.z - logo.y;  // above the crotch; see `garments`
    float fly = below(0.0015, 0.0015 + edge, abs(r.x - 0.03 + 0.03 * smoothstep(0.03, -0.01, up))) * step(0.0, up) * step(r.y, 0.0);
    vec2 pocket = vec2(abs(r.x) - 0.16, up - 0.17);
    float rim = below(0.0015, 0.0015 + edge, abs(length(pocket * vec2(1.0, 0.8)) - 0.085)) * step(r.y, -0.0) * step(up, 0.165);
    vec2 back = vec2(abs(abs(r.x) - 0.085), up - 0.09);
    float patch_ = max(back.x - 0.062, abs(back.y) - 0.062);
    float sewn_on = below(0.0015, 0.0015 + edge, abs(patch_)) * step(0.0, r.y);
    colour = mix(colour, thread * 0.8, max(max(fly, rim), sewn_on) * 0.7);
  }
  return height;
}

Surface cloth(vec3 normal) {
  vec3 q = place / figure_scale;
  vec3 colour = dyed(q);
  float footprint = length(fwidth(q)), near = below(0.0010, 0.0040, footprint);
  vec3 g = q * grain + seed;
  vec3 bend = vec3(noise(g * 0.7), noise(g * 0.7 + 7.0), noise(g * 0.7 + 13.0)) - 0.5;
  float broad = ridge(noise(g + 1.8 * bend)), fine = ridge(noise(g * 2.3 + 2.5 * bend + 4.0));
  float height = fold * (0.75 * broad * broad + 0.35 * fine * broad);
  float hollow = smoothstep(0.15, 0.85, broad) * 0.7 + 0.3 * fine;
  float grainy = noise(q * 260.0);
  float specular = 0.012, gloss = 16.0, wrap = 0.22;
  float turn = atan(q.x, -q.y);
  if (fabric == DENIM) {
    float worn = noise(q * vec3(9, 9, 5) + 3.0) * 0.6 + 0.4 * hollow;
    colour = mix(colour, colour * 1.35 + 0.05, smoothstep(0.45, 0.85, worn) * 0.75);
    float twill = 0.5 + 0.5 * sin((turn * 0.12 + q.z) * 2600.0);
    colour *= 1.0 + (0.16 * twill - 0.08) * near + 0.14 * (grainy - 0.5);
  } else if (fabric == KNIT) {
    float rib = 0.5 + 0.5 * sin(turn * 90.0), stitch = 0.5 + 0.5 * sin(q.z * 900.0 + 2.0 * sin(turn * 180.0));
    height += (0.0012 * rib + 0.0004 * stitch) * near;
    colour *= 0.94 + 0.10 * mix(0.5, rib, near) + 0.06 * (noise(q * vec3(60, 60, 120)) - 0.5);
    wrap = 0.30;
  } else if (fabric == LEATHER) {
    height += 0.0006 * noise(q * 220.0) * near + 0.0012 * noise(q * 60.0);
    specular = 0.10; gloss = 22.0; wrap = 0.1;
  } else if (fabric == SATIN) {
    specular = 0.14; gloss = 9.0; wrap = 0.15;
  } else if (fabric == WOOL) {
    colour *= 0.95 + 0.10 * grainy + 0.08 * (noise(q * 90.0) - 0.5);
    wrap = 0.34;
  } else {
    colour *= 0.97 + 0.06 * grainy;
  }
  height += sewn(colour, q);
  colour *= mix(0.86, 1.03, hollow * clamp(fold * 120.0, 0.0, 1.0) + 1.0 - clamp(fold * 120.0, 0.0, 1.0));
  return Surface(colour, raised(normal, height), specular, gloss, wrap);
}
#endif

#if KIND == 0
Surface skin(vec3 normal) {
  vec2 e = vec2(abs(place.x) - eye.x, place.z - eye.y) / eye.w;
  float arch = 0.0185 + brow.x + 0.003 * smoothstep(-0.02, 0.010, e.x) - 0.006 * smoothstep(0.008, 0.026, e.x) + brow.y * e.x * 0.5;
  float taper = (1.0 + 0.5 * smoothstep(0.0, 0.02, e.x)) / brow.z;
  float hairs = 0.75 + 0.5 * noise(vec3(place.x * 900.0 + place.z * 500.0, place.z * 300.0, 1.0));
  float brows = below(0.0010, 0.0038, abs(e.y - arch) * taper) * below(0.017, 0.025, abs(e.x + 0.001)) * step(place.y, eye.z + 0.01);
  float lash = below(0.0, 0.0035, abs(e.y - 0.0045)) * below(0.013, 0.018, abs(e.x)) * step(place.y, eye.z + 0.012);
  vec3 colour = mix(base_colour, second, 0.75 * clamp(brows * hairs, 0.0, 1.0)) * (1.0 - 0.55 * lash);
  // Blood, freckles and pores.
  float blotch = noise(place * 24.0) * 0.6 + noise(place * 70.0) * 0.4 - 0.5;
  colour *= vec3(1.0) + vec3(0.02, -0.05, -0.05) * blotch;
  colour *= 0.985 + 0.03 * noise(place * 330.0);
  float oily = 0.6 + 0.8 * noise(place * 40.0);
  return Surface(colour, raised(normal, 0.0006 * noise(place * 160.0)), 0.05 * oily, 18.0, 0.3);
}
#endif

#if KIND == 2
// Strands run down, wavy or not; curly and cropped hair (pattern 1) is grainy instead.
Surface hair(vec3 normal) {
  float turn = atan(place.x, -place.y);
  bool curly = pattern == 1;
  turn += waves * 0.10 * sin(place.z * 70.0 + 4.0 * noise(vec3(turn * 3.0, 0.0, seed)) * TURN);
  float lock = noise(vec3(turn * 11.0, place.z * 1.6, seed));
  float strand = noise(vec3(turn * 45.0, place.z * 4.0, seed + 9.0)), hair_ = noise(vec3(turn * 150.0, place.z * 7.0, seed + 21.0));
  float mixed = curly ? 0.6 * noise(place * 75.0) + 0.4 * noise(place * 150.0) : 0.35 * lock + 0.35 * strand + 0.30 * hair_;
  vec3 colour = mix(second * 0.75, base_colour * 1.12, smoothstep(0.15, 0.8, mixed));
  float height = curly ? 0.010 * mixed : 0.006 * lock + 0.0025 * strand + 0.0008 * hair_;
  vec3 bumpy = raised(normal, height);
  // A ragged edge, of locks and single hairs.
  float ragged = 0.008 * noise(vec3(turn * 30.0, seed, 3.0)) + 0.010 * noise(vec3(turn * 120.0, seed, 5.0)) * hair_ + (curly ? 0.006 * mixed : 0.0);
  // Against the light single hairs stand out.
  float rim = abs(dot(normal, normalize(camera - world)));
  if (within < ragged || rim < 0.30 * strand * (0.4 + hair_)) discard;
  return Surface(colour, bumpy, curly ? 0.02 : 0.12, 1.0 + mixed, 0.15);
}
#endif

void main() {
  if (within < 0.0) discard;
  vec3 normal = normalize(world_normal), to_camera = normalize(camera - world);
  if (dot(normal, to_camera) < 0.0) normal = -normal;
  vec3 smooth_normal = normal;
#if KIND == 0
  Surface s = skin(normal);
#elif KIND == 1
  Surface s = cloth(normal);
  if (!gl_FrontFacing) s.colour *= 0.6;
#elif KIND == 2
  Surface s = hair(normal);
#elif KIND == 3
  Surface s = shoe(normal);
#else
  Surface s = eyeball(normal);
#endif
  vec3 albedo = s.colour * s.colour;
  float shadow = passing(in_light);
  float facing = dot(s.normal, key_light);
  vec3 half_way = normalize(key_light + to_camera);
  float rim = pow(grazing(s.normal, to_camera), 3.0);
  vec3 ambient = around(s.normal);
#if KIND == 0
  // Light enters skin, the red of it farthest.
  vec3 reach = vec3(0.40, 0.26, 0.20);
  vec3 key = max((facing + reach) / (1.0 + reach), 0.0) * pow(vec3(shadow), vec3(0.75, 1.0, 1.1));
  vec3 light = key_colour * key + ambient * vec3(1.03, 0.99, 0.97);
  vec3 shine = (s.specular * pow(max(dot(s.normal, half_way), 0.0), s.gloss) + 0.05 * pow(max(dot(s.normal, half_way), 0.0), 70.0)) * key_colour * shadow
      + 0.05 * rim * ambient;
#elif KIND == 2
  // Two highlights along the strands (Kajiya and Kay), the second one coloured by the hair.
  vec3 down = normalize(vec3(0.6 * place.xy, -0.25));
  vec3 along = normalize(down - smooth_normal * dot(down, smooth_normal) + 0.25 * (s.normal - smooth_normal));
  float with_it = dot(along, half_way), across = sqrt(max(1.0 - with_it * with_it, 0.0)), grey = s.gloss - 1.0;
  float key = max((facing + s.wrap) / (1.0 + s.wrap), 0.0) * shadow;
  vec3 light = key_colour * key + ambient * (0.55 + 0.6 * grey);
  vec3 shine = key_colour * shadow * smoothstep(-0.2, 0.4, facing)
      * (s.specular * pow(across, 70.0) * grey + 1.6 * albedo * s.specular * pow(across, 12.0) * 4.0) + ambient * rim * 0.02;
#else
  float key = max((facing + s.wrap) / (1.0 + s.wrap), 0.0) * shadow;
  vec3 light = key_colour * key + ambient;
  vec3 shine = s.specular * (pow(max(dot(s.normal, half_way), 0.0), s.gloss) * key_colour * shadow + (0.3 + 2.0 * rim) * ambient);
#if KIND == 1
  // Fuzz catches light at the edges.
  if (fabric == WOOL || fabric == KNIT) light += 0.35 * rim * ambient;
#endif
#endif
  pixel = vec4(albedo * light + shine, 1.0);
  surface = vec4(at_rest, layer);
}
