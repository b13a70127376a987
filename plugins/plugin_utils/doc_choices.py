# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation fragments whose lists of choices are those of the code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Fragment = TypeVar("Fragment", bound=type)


def choices(**lists: Iterable[str]) -> Callable[[Fragment], Fragment]:
    """Class decorator of a fragment: `[NAME]` in its texts becomes the list NAME.

    The texts themselves stay literals, because ansible-test reads them out of the source.
    """

    def filled(fragment: Fragment) -> Fragment:
        for section, text in list(vars(fragment).items()):
            if section.isupper():
                for name, items in lists.items():
                    text = text.replace(f"[{name}]", f"[{', '.join(items)}]")
                setattr(fragment, section, text)
        return fragment

    return filled
