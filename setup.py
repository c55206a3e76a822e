"""Build the native scanner, an optional extension; pyproject.toml has all other metadata."""

import sys
from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "toolkit._scan",
            ["toolkit/_scan.cpp"],
            depends=glob("toolkit/native/*.h"),
            include_dirs=["toolkit"],
            language="c++",
            extra_compile_args=(
                ["/std:c++17", "/O2"]
                if sys.platform == "win32"
                # Python's own flags ask for debug information, nine tenths of the library.
                else ["-std=c++17", "-O3", "-g0", "-fvisibility=hidden"]
            ),
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            py_limited_api=True,
            optional=True,  # without a compiler, the reference decoder is used
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
