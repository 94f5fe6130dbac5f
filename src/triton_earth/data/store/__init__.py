"""The training store: reader, writer, checksums, and codecs that are refused."""
