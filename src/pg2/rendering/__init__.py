"""Synthetic people: dressed bodies in natural poses, drawn with exact keypoints. Needs pg2[render].

From the outside in: `people` (the data set) hands people to `workers`, which write `folders` of `pictures`;
each shows a `person` (`attributes`; the `body` of a `figure`; `garments`, cut by `coverage`, `shoes`, `skin`,
`hair`) in one of the `poses`, seen by a `camera`, drawn by `shading` before `backgrounds`.

The look of photographs (`photographs`) has a wardrobe (`outfits`, `faces`, `collars`, `headwear`, `bags`),
one of the `scenes` with its light, a `viewpoint`, and `film` that develops the picture.
"""
