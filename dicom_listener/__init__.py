"""The PACS side: DICOM associations in, headers out to the worklist's intake."""
