"""OCI image layouts, in a folder or in a tar file.

See https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
"""
