"""The paper's user study: people say which pictures are real and which are generated."""
