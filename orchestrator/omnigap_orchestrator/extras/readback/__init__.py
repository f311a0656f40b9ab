"""Does a made picture or recording still say its question: read back, compared, and judged carrier by carrier."""
