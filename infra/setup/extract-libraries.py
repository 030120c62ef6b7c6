"""Takes the shared libraries out of a wheel, each where its own run path looks for the others."""

import sys
import zipfile

wheel, target = sys.argv[1:]

with zipfile.ZipFile(wheel) as archive:
    for item in archive.infolist():
        if ".so" in item.filename.rsplit("/", 1)[-1]:
            archive.extract(item, target)
