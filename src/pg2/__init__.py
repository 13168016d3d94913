"""pg2: pose guided person image generation (Ma et al., NIPS 2017)."""
