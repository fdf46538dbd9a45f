"""hadal dies as it logs a certain line (`last_word.c`)."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("last_word.c")


class LastWord:
    """`wrapper` goes before hadal's command; `arm` says which text will be its last word."""

    def __init__(self, folder):
        library = folder / "last_word.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self.file = folder / "last-word"
        self.wrapper = ["env", f"LD_PRELOAD={library}", f"LAST_WORD={self.file}"]

    def arm(self, text):
        # At once as a whole: hadal may log a line at any time.
        draft = self.file.with_suffix(".draft")
        draft.write_text(text)
        draft.rename(self.file)

    @property
    def was_said(self):
        return not self.file.exists()


def why_no_last_word():
    return None if shutil.which("cc") else "there is no C compiler"
