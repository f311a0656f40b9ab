"""The cascade's eyes: the reader of the `ocr` service, in the cascade's own process."""

from omnigap_services.ocr.reading import Line, Reader, in_reading_order

__all__ = ["Line", "Reader", "in_reading_order"]
