"""The `ocr` service: image in, text out, with RapidOCR."""
