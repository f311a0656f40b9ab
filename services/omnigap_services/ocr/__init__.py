"""The `ocr` service, and the reader inside it that the cascade reads with as well."""
