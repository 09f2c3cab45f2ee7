//! Tests only: a world of its own for each test (local cloud, databases, tokens, media made by ffmpeg).
