// How what is around a person looks, in linear light. There is one program for each finish, named by FINISH: see
// pieces.py. Patterns fade where a pixel holds more of them than it can show.

const float TURN = 6.2832, SCENE_SHADOW_MAP = 1024.0;

float flat_noise(vec2 p) { return noise(vec3(p, chosen.y)); }

float cloudy(vec2 p) { return 0.55 * flat_noise(p) + 0.3 * flat_noise(p * 2.3 + 7.0) + 0.15 * flat_noise(p * 5.1 + 3.0); }

float strip(float x, float width) {
  float edge = fwidth(x) + 1e-4, f = fract(x);
  float crisp = smoothstep(0.0, edge, f) * (1.0 - smoothstep(width, width + edge, f));
  return mix(crisp, width, smoothstep(0.35, 1.0, edge));
}

// How much of a pattern of a size in metres is to be seen: 1 near, 0 far.
float fine(float size) { return below(0.2, 0.8, length(fwidth(at)) / size); }

float cell_hash(vec2 cell) { return hash(vec3(cell, chosen.y + 0.5)); }

vec3 light_hue(float h) { return 0.5 + 0.5 * cos(TURN * (h + vec3(0.0, 0.33, 0.67))); }

struct Look {
  vec3 colour, glow;
  float height, shine;
};

Look look(vec3 normal, vec3 to_camera) {
  float scale = chosen.x, seed = chosen.y;
  Look l = Look(first, vec3(0.0), 0.0, 0.0);
#if FINISH == 0  // plain
  l.colour *= 0.98 + 0.04 * flat_noise(at * 1.5);
#elif FINISH == 1  // plaster: stains, dirt at the foot
  l.colour *= 0.90 + 0.16 * cloudy(at * 0.9) + 0.04 * (flat_noise(at * 60.0) - 0.5) * fine(0.016);
  l.colour *= 0.92 + 0.08 * smoothstep(0.0, 0.5, at.y + 0.3 * flat_noise(at * 3.0));
#elif FINISH == 2  // brick
  vec2 g = at / vec2(0.24, 0.078);
  g.x += 0.5 * mod(floor(g.y), 2.0);
  float mortar = max(strip(g.x, 0.05), strip(g.y, 0.15));
  vec3 brick = mix(first, second, cell_hash(floor(g))) * (0.85 + 0.3 * flat_noise(at * 30.0) * fine(0.03) + 0.15 * (cloudy(at) - 0.5));
  l.colour = mix(brick, vec3(0.72, 0.70, 0.66) * (0.6 + 0.4 * length(first)), mortar * 0.8);
  l.height = -0.006 * mortar * fine(0.06);
#elif FINISH == 3  // tiles, slabs, panels
  vec2 g = at / scale;
  float joint = max(strip(g.x, 0.006 / scale + 0.008), strip(g.y, 0.006 / scale + 0.008));
  l.colour *= 0.94 + 0.10 * cell_hash(floor(g)) + 0.08 * (cloudy(at * 1.7) - 0.5);
  l.colour = mix(l.colour, second * 0.75, joint * 0.8);
  l.height = -0.002 * joint * fine(0.02);
  l.shine = 0.04;
#elif FINISH == 4  // planks
  vec2 g = at / vec2(1.4, 0.13) * scale;
  float row = floor(g.y);
  g.x += 3.7 * hash(vec3(row, seed, 1.0));
  vec2 cell = vec2(floor(g.x), row);
  float grain_ = flat_noise(vec2(at.x * 2.0 + 9.0 * cell_hash(cell), at.y * 70.0));
  l.colour = mix(first, second, 0.35 * grain_ * fine(0.02) + 0.35 * (cell_hash(cell) - 0.3));
  l.colour *= 1.0 - 0.5 * max(strip(g.y, 0.03), strip(g.x, 0.004));
  l.shine = 0.05;
#elif FINISH == 5  // the front of a house
  vec2 g = vec2(at.x / scale, at.y / (2.7 + 0.4 * hash(vec3(seed))));
  vec2 f = fract(g) - 0.5, cell = floor(g);
  float wide = 0.20 + 0.14 * hash(vec3(seed, 1.0, 2.0)), high = 0.24 + 0.1 * hash(vec3(seed, 3.0, 2.0));
  vec2 edge = fwidth(g) + 1e-4;
  vec2 in_ = vec2(1.0) - smoothstep(vec2(wide, high), vec2(wide, high) + edge, abs(f));
  vec2 rim = vec2(1.0) - smoothstep(vec2(wide, high) + 0.035, vec2(wide, high) + 0.035 + edge, abs(f));
  float pane = in_.x * in_.y, frame = rim.x * rim.y - pane;
  float lit_ = step(0.82, cell_hash(cell)), curtain = cell_hash(cell + 17.0);
  vec3 glass = mix(second * 0.5, sky_colour * 0.5, smoothstep(-0.3, 0.5, f.y + 0.4 * (curtain - 0.5)));
  glass = mix(glass, vec3(0.85), 0.5 * step(curtain, 0.35) * step(0.1, f.y));
  l.colour *= 0.9 + 0.14 * cloudy(at * 0.5) + 0.05 * (flat_noise(at * 14.0) - 0.5) * fine(0.07);
  l.colour *= 1.0 - 0.16 * strip(g.y + 0.04, 0.06);
  l.colour = mix(l.colour, mix(vec3(0.88), second, step(0.5, hash(vec3(seed, 8.0, 1.0)))), frame * 0.8);
  l.colour = mix(l.colour, glass, pane);
  l.colour *= 1.0 - 0.9 * pane * below(0.0, 0.02, abs(f.x)) * 0.6;
  l.glow = pane * lit_ * vec3(0.5, 0.38, 0.2) * level * 0.7;
  l.shine = 0.15 * pane;
#elif FINISH == 6  // gravel, asphalt, sand, carpet
  l.colour *= 0.86 + 0.20 * cloudy(at * 0.45) + 0.24 * (flat_noise(at * 75.0) - 0.5) * fine(0.013) + 0.10 * (flat_noise(at * 11.0) - 0.5) * fine(0.1);
#elif FINISH == 7  // grass
  float blades = flat_noise(at * vec2(55.0, 22.0)) * fine(0.03) + 0.5 * (1.0 - fine(0.03));
  float patch_ = cloudy(at * 0.35);
  l.colour = mix(second, first, 0.25 + 0.45 * blades + 0.5 * (patch_ - 0.4));
  l.colour += vec3(0.05, 0.03, 0.0) * smoothstep(0.55, 0.8, flat_noise(at * 1.3)) + 0.12 * step(0.93, flat_noise(at * 9.0)) * fine(0.1);
#elif FINISH == 8  // leaves: clumps, with light coming through
  vec3 p = world * 9.0 * scale + seed;
  float clump = noise(p), tuft = noise(p * 3.3), open_ = noise(world * 2.6 * scale + seed);
  float edge = abs(dot(normal, to_camera)), near = fine(0.06 / scale);
  if (edge < 0.75 * tuft * (0.4 + clump) || tuft + 0.6 * open_ > 1.22) discard;
  vec3 mass = mix(second, first, smoothstep(0.15, 0.75, 0.5 * clump + 0.5 * tuft)) * (0.55 + 0.6 * tuft);
  // Near by, single leaves in three layers; between them it is dark, or open.
  vec3 leaves = second * 0.35;
  float hit = 0.0;
  for (int i = 0; i < 3; i++) {
    float turn = 0.9 * float(i) + seed;
    vec2 g = mat2(cos(turn), sin(turn), -sin(turn), cos(turn)) * at * scale * (17.0 + 5.0 * float(i)) + float(i) * 7.3;
    vec2 cell = floor(g);
    float h = cell_hash(cell + float(i) * 31.0), a = h * TURN;
    vec2 d = mat2(cos(a), sin(a), -sin(a), cos(a)) * (fract(g) - 0.5 - 0.25 * (vec2(h, cell_hash(cell + 5.0)) - 0.5));
    float leaf = 1.0 - abs(d.y) / (0.24 * (1.0 - 3.6 * d.x * d.x));
    float there = step(0.0, leaf) * step(abs(d.x), 0.5) * step(0.15, h);
    vec3 green = mix(second, first, 0.35 + 0.65 * fract(h * 7.0)) * (0.8 + 0.5 * step(d.y, 0.0) * fract(h * 3.0)) * (1.0 - 0.25 * below(0.01, 0.03, abs(d.y)));
    leaves = mix(leaves, green * (1.1 - 0.25 * float(2 - i)), there);
    hit = max(hit, there);
  }
  if (near > 0.5 && hit == 0.0 && tuft + open_ > 1.0) discard;
  l.colour = mix(mass, leaves * (0.65 + 0.5 * tuft), near);
  l.colour *= 0.65 + 0.35 * smoothstep(-0.6, 0.7, normal.z);
#elif FINISH == 9  // books
  vec2 g = vec2(at.x / (scale * 0.105), at.y / scale);
  float row = floor(g.y), x = g.x + 0.8 * flat_noise(vec2(g.x * 0.8, row));
  vec2 cell = vec2(floor(x), row);
  float h = 0.55 + 0.35 * cell_hash(cell), there = step(0.16, cell_hash(floor(vec2(g.x * 0.22, row))));
  vec3 book = mix(vec3(0.85, 0.80, 0.7), light_hue(cell_hash(cell + 3.0)), 0.45 + 0.4 * cell_hash(cell + 9.0)) * (0.25 + 0.7 * cell_hash(cell + 5.0));
  float spine = step(fract(g.y), h) * there * (1.0 - 0.5 * strip(x, 0.09));
  l.colour = mix(second, book, spine);
  l.colour = mix(l.colour, first, strip(g.y + 0.04, 0.08));
#elif FINISH == 10  // a picture, a poster, writing on a wall
  vec2 f = at - 0.5;
  float style = hash(vec3(seed, 4.0, 4.0)), n = cloudy(at * 3.0 + seed), m = cloudy(at * 6.0 - seed);
  vec3 third = light_hue(hash(vec3(seed, 1.0, 1.0))) * 0.8;
  if (scale == 0.0) {
    // Drips of letters: what is not written on stays open.
    float mark = 1.0 - abs(2.0 * fract(n * 2.0 + 0.12 * sin(at.x * 19.0)) - 1.0);
    if (mark < 0.72) discard;
    l.colour = mix(first, second, smoothstep(0.80, 0.84, mark));
  } else {
    vec3 art = mix(second, third, smoothstep(0.35, 0.6, n));
    if (style < 0.3) art = mix(art, first, smoothstep(0.5, 0.52, m));
    else if (style < 0.55) art = mix(mix(second, third, at.y), vec3(0.1) + 0.6 * first, step(at.y, 0.25 + 0.3 * n));
    else if (style < 0.75) art = mix(art, first, below(0.24, 0.25, length(f + 0.2 * (vec2(hash(vec3(seed)), n) - 0.5))));
    else art = mix(vec3(0.92), art, step(0.5, at.y)) * (1.0 - 0.8 * step(at.y, 0.45) * step(0.35, cell_hash(floor(at * vec2(24.0, 14.0)))) * step(abs(f.x), 0.38));
    float rim = step(0.5 - scale, max(abs(f.x), abs(f.y)));
    l.colour = mix(art, first, rim);
    l.shine = 0.06;
  }
#elif FINISH == 11  // a curtain, ribs
  float wave = sin(at.x / scale * TURN + 1.5 * flat_noise(vec2(at.x * 4.0, at.y * 0.6)) * TURN);
  l.height = 0.22 * scale * wave * fine(scale);
  l.colour *= 0.86 + 0.12 * wave + 0.04 * flat_noise(at * 40.0) * fine(0.03);
#elif FINISH == 12  // a window pane: daylight, with houses and trees in it
  float sky_line = 0.35 + 0.25 * flat_noise(vec2(at.x * 3.0, 1.0));
  vec3 out_ = mix(first * first * (0.5 + cloudy(at * 5.0)), second * second, smoothstep(sky_line - 0.04, sky_line + 0.04, at.y / 1.4));
  float bar = max(strip(at.x / scale + 0.03, 0.07), strip(at.y / 0.75 + 0.03, 0.06));
  l.colour = mix(vec3(0.1), vec3(0.9), bar);
  l.glow = (1.0 - bar) * out_ * level * 2.4;
#elif FINISH == 13  // slats, shutters, fences
  float g = at.y / scale, f = fract(g);
  l.colour *= 0.86 + 0.2 * f * fine(scale) + 0.08 * hash(vec3(floor(g), seed, 1.0));
  l.colour *= 1.0 - 0.65 * strip(g, 0.10);
  l.colour *= 0.95 + 0.1 * cloudy(at * vec2(6.0, 1.0));
#elif FINISH == 14  // fabric: plain, striped, checked or ornamental
  float kind = hash(vec3(seed, 6.0, 2.0)), s = 0.0;
  vec2 g = at / scale;
  if (kind < 0.3) s = strip(g.x, 0.5);
  else if (kind < 0.5) s = 0.5 * strip(g.x, 0.5) + 0.5 * strip(g.y, 0.5);
  else if (kind < 0.75) s = smoothstep(0.45, 0.5, cloudy(abs(fract(g) - 0.5) * 7.0));
  l.colour = mix(first, second, s) * (0.93 + 0.12 * flat_noise(at * 110.0) * fine(0.01) + 0.10 * (cloudy(at * 2.0) - 0.5));
#elif FINISH == 15  // a shop: glass between posts, a sign above
  vec2 g = vec2(at.x / (1.6 * scale), at.y);
  float x = fract(g.x), sign_ = step(2.5, at.y) * step(at.y, 3.1);
  float post = max(strip(g.x + 0.03, 0.06), step(at.y, 0.35) + step(2.4, at.y));
  float ware = cell_hash(floor(vec2(at.x * 1.7, at.y * 1.2)));
  vec3 inside = vec3(0.10) + 0.35 * mix(vec3(ware), light_hue(ware), 0.35) * smoothstep(0.35, 0.6, flat_noise(at * vec2(1.7, 1.2)));
  l.colour = mix(mix(inside, sky_colour * 0.6, 0.35 * smoothstep(0.3, 0.7, cloudy(at * 0.8))), first, clamp(post, 0.0, 1.0));
  float letters = sign_ * step(0.3, cell_hash(floor(vec2(at.x * 6.0, 1.0)))) * step(abs(at.y - 2.8), 0.15) * step(0.35, fract(at.x * 6.0)) * step(0.35, hash(vec3(floor(at.x * 0.3), seed, 7.0)));
  l.colour = mix(l.colour, second, letters);
  l.glow = (1.0 - clamp(post, 0.0, 1.0)) * smoothstep(0.72, 0.85, flat_noise(at * 2.0)) * vec3(1.0, 0.85, 0.6) * level * 0.6;
  l.shine = 0.2 * (1.0 - clamp(post, 0.0, 1.0));
#elif FINISH == 16  // a lamp that is lit
  l.glow = first * first * vec3(1.0, 0.86, 0.62) * level * 1.9;
#elif FINISH == 17  // water
  float wave = flat_noise(vec2(at.x * 0.8, at.y * 5.0)) * 0.6 + 0.4 * flat_noise(vec2(at.x * 3.0, at.y * 14.0)) * fine(0.1);
  float low = pow(1.0 - abs(to_camera.z), 4.0);
  l.colour = mix(first, second, 0.35 * wave) ;
  l.glow = sky_colour * (0.15 + 0.5 * low) * (0.6 + 0.6 * wave);
  l.colour *= 0.6;
  l.colour = mix(l.colour, vec3(0.95), step(0.72, wave) * below(0.5, 2.5, at.y) * 0.9);
#elif FINISH == 18  // enamel: cars, pots, metal
  l.shine = 0.35;
  l.glow = 0.12 * sky_colour * pow(grazing(normal, to_camera), 3.0);
#elif FINISH == 19  // the sky
  float up = clamp((world.z - camera.z) / 140.0, 0.0, 1.0);
  float cloud = smoothstep(0.62 - 0.35 * scale, 0.85 - 0.3 * scale, cloudy(vec2(at.x * 0.012, world.z * 0.03) + seed));
  vec3 blue = mix(second * second, first * first, smoothstep(0.0, 0.75, up));
  l.colour = vec3(0.0);
  l.glow = mix(blue, vec3(1.0, 0.99, 0.97) * dot(second, vec3(0.36)), cloud * scale) * level * 1.35;
#endif
  return l;
}

// Share of the key light that passes the person: the shadow is the softer the farther it falls.
float passing() {
  vec2 d = abs(in_light.xy - 0.5);
  vec3 shade = texture(soft_shadow, in_light.xy).rgb;
  float past = in_light.z - shade.b;  // 1 is 8 m
  float shadow = mix(shade.r, shade.g, clamp(past * 4.0, 0.0, 1.0)) * smoothstep(-0.01, 0.03, past);
  return 1.0 - shadow * below(0.47, 0.5, max(d.x, d.y));
}

float scene_shade() {
  vec2 d = abs(in_scene_light.xy - 0.5);
  if (max(d.x, d.y) > 0.49) return 1.0;
  float sum = 0.0, off = jitter(), step_ = (0.6 + softness * 0.5) / SCENE_SHADOW_MAP;
  for (int i = 0; i < 2; i++) for (int j = 0; j < 2; j++) {
    vec2 aside = (vec2(i, j) - 0.5 + vec2(off, -off)) * step_ * 2.0;
    sum += below(0.0006, 0.0020, in_scene_light.z - texture(scene_shadow_map, in_scene_light.xy + aside).r - 0.0008);
  }
  return mix(sum / 4.0, 1.0, smoothstep(0.40, 0.49, max(d.x, d.y)));
}

void main() {
  vec3 normal = normalize(world_normal), to_eye = camera - world;
  float distance_ = length(to_eye);
  vec3 to_camera = to_eye / distance_;
  if (dot(normal, to_camera) < 0.0) normal = -normal;
  Look l = look(normal, to_camera);
  normal = raised(normal, l.height);
  float key = max(dot(normal, key_light), 0.0) * passing() * scene_shade();
  // A flash fades with distance.
  if (near_light > 0.0) key *= pow(near_light / max(distance_, near_light * 0.6), 2.0);
  // Where feet stand no light comes from the side.
  float hidden = 0.0;
  for (int i = 0; i < 2; i++) {
    vec2 d = (world.xy - feet[i].xy) / feet[i].w;
    float low = below(0.0, 0.5, world.z);
    hidden = max(hidden, low * feet[i].z * (0.45 * exp(-dot(d, d)) + 0.22 * exp(-dot(d, d) * 0.12)));
  }
  vec3 light = key_colour * key + around(normal) * (1.0 - hidden);
  vec3 half_way = normalize(key_light + to_camera);
  vec3 shine = l.shine * (pow(max(dot(normal, half_way), 0.0), 40.0) * key_colour * key * 1.5 + 0.5 * pow(grazing(normal, to_camera), 4.0) * sky_colour);
  vec3 colour = l.colour * l.colour * light + l.glow + shine;
#if FINISH != 19
  colour = mix(colour, haze_colour, 1.0 - pow(1.0 - haze, distance_ * 0.004));
#endif
  pixel = vec4(colour, mix(1.0, distance_, with_distance));
}
