// The shadow map needs depth alone; what lies outside a hem casts no shadow.

in float within;

void main() {
  if (within < 0.0) discard;
}
