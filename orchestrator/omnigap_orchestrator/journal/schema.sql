-- The journal of a run. A key is a hash of content, so a row never changes its meaning, and rows are only added.
-- The checksum of a row is that of `tables.Table.checksum`; a row that does not match it is treated as absent.
CREATE TABLE IF NOT EXISTS meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  checksum BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS carriers (
  key       TEXT PRIMARY KEY,
  media_sha TEXT NOT NULL,
  extension TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  seconds   REAL,
  checksum BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS answers (
  key            TEXT PRIMARY KEY,
  own_text       TEXT NOT NULL,
  reasoning      TEXT NOT NULL,
  media_sha      TEXT,
  audio_seconds  REAL,
  audio_rms      REAL,
  audio_peak     REAL,
  finish_reason  TEXT NOT NULL,
  input_tokens   INTEGER NOT NULL,
  output_tokens  INTEGER NOT NULL,
  audio_tokens   INTEGER NOT NULL,
  latency_s      REAL NOT NULL,
  queue_s        REAL NOT NULL,
  compute_s      REAL NOT NULL,
  ttft_s         REAL NOT NULL,
  audio_ttfp_s   REAL NOT NULL,
  model_digest   TEXT NOT NULL,
  endpoint       TEXT NOT NULL,
  diagnostics    TEXT NOT NULL,
  finished_at    REAL NOT NULL,
  checksum BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS transcripts (
  key               TEXT PRIMARY KEY,
  text              TEXT NOT NULL,
  detected_language TEXT NOT NULL,
  avg_logprob       REAL,
  no_speech_prob    REAL,
  compression_ratio REAL,
  diagnostics       TEXT NOT NULL,
  asr_digest        TEXT NOT NULL,
  finished_at       REAL NOT NULL,
  checksum BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS verdicts (
  key          TEXT PRIMARY KEY,
  text         TEXT NOT NULL,
  rating       REAL,
  score        REAL NOT NULL,
  judge_digest TEXT NOT NULL,
  endpoint     TEXT NOT NULL,
  finished_at  REAL NOT NULL,
  checksum BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS scores (
  key            TEXT PRIMARY KEY,
  score          REAL NOT NULL,
  own_text_score REAL,
  metric         TEXT NOT NULL,
  flags          TEXT NOT NULL,
  wer_errors     INTEGER,
  wer_words      INTEGER,
  normalised_answer TEXT,
  wer_errors_whisper INTEGER,
  wer_words_whisper  INTEGER,
  checksum BLOB
) WITHOUT ROWID;

-- The last failure of a cell; deleted when its answer or transcript arrives. A failure is never reused as a result.
CREATE TABLE IF NOT EXISTS failures (
  stage     TEXT NOT NULL,
  model     TEXT NOT NULL,
  item_id   TEXT NOT NULL,
  condition TEXT NOT NULL,
  replicate INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  message   TEXT NOT NULL,
  endpoint  TEXT NOT NULL,
  attempts  INTEGER NOT NULL,
  at        REAL NOT NULL,
  checksum BLOB,
  PRIMARY KEY (stage, model, item_id, condition, replicate)
) WITHOUT ROWID;

-- The description of each service when it was last reached.
CREATE TABLE IF NOT EXISTS services (
  role     TEXT NOT NULL,
  name     TEXT NOT NULL,
  digest   TEXT NOT NULL,
  describe BLOB NOT NULL,
  seen_at  REAL NOT NULL,
  checksum BLOB,
  PRIMARY KEY (role, name)
) WITHOUT ROWID;
